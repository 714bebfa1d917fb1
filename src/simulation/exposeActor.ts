/** The common part of all worker entries: builds the actor on a thread executor and exposes its host to the main thread. */

import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { COORDINATOR } from '../actors/coordinator.js';
import { UserError } from '../base/userError.js';
import type { Port } from '../sim/port.js';
import { TaskFailure } from '../sim/scheduler.js';
import { Doorbell } from '../sim/threads/doorbell.js';
import { ThreadExecutor } from '../sim/threads/threadExecutor.js';
import type { ActorHost } from './actorHost.js';
import { observeActor } from './observeActor.js';
import { sendMistakes } from './sentMistakes.js';
import type { WorkerInput } from './threadFleet.js';

/** To be called once, at the top of a worker: which then runs the actors that it is sent, one after the other. */
export function exposeActor<H extends ActorHost>(
  build: (sched: ThreadExecutor, input: WorkerInput) => H | Promise<H>,
  portsOf: (host: H) => readonly Port[],
): void {
  if (parentPort === null) throw new Error('this file runs in a worker thread only');
  sendMistakes();
  parentPort.on('message', (input: WorkerInput) => void exposeOne(build, portsOf, input));
}

/** Calls that come before the host is exposed wait in its channel. */
async function exposeOne<H extends ActorHost>(
  build: (sched: ThreadExecutor, input: WorkerInput) => H | Promise<H>,
  portsOf: (host: H) => readonly Port[],
  input: WorkerInput,
): Promise<void> {
  const { buffers, config, control: channel } = input;
  // The owner of a port names its actor; the executor must exist before the first port.
  const executor = new ThreadExecutor(config.seed);
  const host = await build(executor, input);
  const ports = portsOf(host);
  const actor = ports[0].owner;
  executor.attach(new Doorbell(buffers.doorbells, actor), actor === COORDINATOR);
  observeActor(executor, actor, config, buffers);
  for (const own of ports) {
    executor.addLink({ port: own, peerDoorbell: new Doorbell(buffers.doorbells, own.peer) });
  }
  const control = {
    runActor: () => executor.run().catch(rethrow),
    stop: () => executor.stop(),
  };
  expose(withControl(host, control), nodeEndpoint(channel));
}

/** What a user's own code did wrong goes to the main thread by itself: causes do not cross. */
function rethrow(error: unknown): never {
  throw error instanceof TaskFailure && error.cause instanceof UserError ? error.cause : error;
}

/** One object with the host's methods and the control's: Comlink exposes a single one. */
function withControl<H extends object, C extends object>(host: H, control: C): H & C {
  return new Proxy(host, {
    get: (target, key) => (key in control ? Reflect.get(control, key) : bound(target, key)),
  }) as H & C;
}

function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
