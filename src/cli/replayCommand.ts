/** `svmsim replay`: repeats a failure step by step. */

import { readBytesFile } from '../base/readBytesFile.js';
import { UserError } from '../base/userError.js';
import { decodeFailure, type Failure } from '../explore/failureFile.js';
import { replay } from '../explore/replay/replay.js';
import { sameVerdict } from '../explore/verdict.js';
import { verdictTitle } from '../report/exploreReport.js';
import { TraceColumns } from '../report/traceColumns.js';
import type { CliHost } from './cliHost.js';
import { ExitStatus } from './exitStatus.js';
import type { ReplayOptions } from './exploreOptions.js';
import { type PlayableFailure, withFailurePolicy } from './failurePolicy.js';
import { wholeNumber } from './optionValues.js';

const STEPS_MAX = 1e9;
const FAILURE_BYTES_MAX = 2 ** 28;
const ALLOWED = 'a failure file that svmsim explore has written';

export async function replayCommand(
  file: string,
  options: ReplayOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const decoded = decodeFailure(read(file), file, host.version);
  const playable = await withFailurePolicy(decoded, file, options.policy, host);
  const { failure } = playable;
  const stopAt =
    options.stopAt === undefined
      ? Number.POSITIVE_INFINITY
      : wholeNumber('--stop-at', options.stopAt, 1, STEPS_MAX);
  const columns = new TraceColumns(host.stdout.isTTY ? host.stdout.columns : Number.POSITIVE_INFINITY);
  const write = (text: string): void => {
    if (options.quiet !== true) host.stdout.write(text);
  };
  const limits = { stopAt, withPages: options.verbose === true && options.quiet !== true };
  const { verdict, isExact, isStopped } = replay(failure, limits, {
    begin: (actors) => write(columns.head(actors)),
    line: (line) => write(columns.line(line)),
  });
  if (isStopped) {
    host.stdout.write(`stopped before step ${stopAt}\n`);
    return ExitStatus.Ok;
  }
  if (!isExact) requireFitting(playable, file);
  return judge(playable, verdict, isExact, host);
}

/** With another module a program may well go another way, and one that goes differently each time does. @throws UserError */
function requireFitting({ failure, hasOtherPolicy }: PlayableFailure, file: string): void {
  if (hasOtherPolicy || failure.verdict.kind === 'nondeterminism') return;
  const found = 'choices that do not fit its program: not every one of them could be made';
  throw new UserError({ where: file, found, allowed: ALLOWED });
}

function judge(
  { failure, hasOtherPolicy }: PlayableFailure,
  verdict: Failure['verdict'] | null,
  isExact: boolean,
  host: CliHost,
): ExitStatus {
  const wentAnotherWay = hasOtherPolicy && !isExact;
  if (verdict === null || wentAnotherWay || !sameVerdict(verdict, failure.verdict)) {
    const found = verdict === null ? 'nothing went wrong' : verdictTitle(verdict);
    host.stdout.write(`this is not how it went: ${found}; it was ${verdictTitle(failure.verdict)}\n`);
    if (!hasOtherPolicy) return ExitStatus.InternalError;
    return verdict === null ? ExitStatus.Ok : ExitStatus.CheckFailed;
  }
  host.stdout.write(`${[verdictTitle(verdict), ...verdict.details.map((line) => `  ${line}`)].join('\n')}\n`);
  return ExitStatus.CheckFailed;
}

function read(file: string): Uint8Array {
  return readBytesFile(
    file,
    FAILURE_BYTES_MAX,
    (found) => new UserError({ where: file, found, allowed: ALLOWED }),
  );
}
