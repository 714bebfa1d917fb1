/** Runs the command line of this process and ends it with the status. */

import { writeTrouble } from '../base/fileTrouble.js';
import { UserError } from '../base/userError.js';
import { tuneEngine } from '../simulation/engine.js';
import { answerTo, wantsStack } from './exitStatus.js';
import { processHost } from './processHost.js';
import { runCli } from './program.js';

tuneEngine();
const host = processHost();

/** After a reader has gone (`svmsim run | head`) there is nobody to tell; the status is still that of the run. */
for (const [stream, where] of [
  [process.stdout, 'standard output'],
  [process.stderr, 'standard error'],
] as const) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    throw new UserError({ where, found: writeTrouble(error, ''), allowed: 'a place that can be written' });
  });
}

/** Errors that no command waits for, such as those of timers and workers. */
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    const { status, message } = answerTo(error, wantsStack(host));
    host.stderr.write(`${message}\n`);
    process.exit(status);
  });
}

const status = await runCli(process.argv.slice(2), host);
// Workers that are still there must not keep the process, but what was written must arrive.
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(status);

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
