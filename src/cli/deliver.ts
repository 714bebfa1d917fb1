/** Hands over what a command has found, each part by itself: a full disk must not take the table with it, nor a trace the verdict. */

import { UserError } from '../base/userError.js';
import type { CliHost } from './cliHost.js';
import { answerTo, ExitStatus } from './exitStatus.js';

type Write = () => void | Promise<void>;

/** The status of the result stands. What could not be written is told, and is the status where all else is well. */
export async function deliver(
  host: CliHost,
  status: ExitStatus,
  writes: readonly Write[],
): Promise<ExitStatus> {
  let isComplete = true;
  for (const write of writes) if (!(await isWritten(host, write))) isComplete = false;
  return !isComplete && status === ExitStatus.Ok ? ExitStatus.BadInput : status;
}

/** False after it has been told why not. */
export async function isWritten(host: CliHost, write: Write): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    host.stderr.write(`${answerTo(error, false).message}\n`);
    return false;
  }
}
