declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { MessagePort, Worker } from 'node:worker_threads';
  import type { Endpoint } from 'comlink';

  /** Makes a worker or message port of Node look like the browser's to Comlink. */
  export default function nodeEndpoint(port: MessagePort | Worker): Endpoint;
}
