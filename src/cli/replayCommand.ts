/** `svmsim replay`: repeats a failure step by step. */

import { readBytesFile } from '../base/readBytesFile.js';
import { UserError } from '../base/userError.js';
import { decodeFailure, type Failure } from '../explore/failureFile.js';
import { recordReplay } from '../explore/replay/recordReplay.js';
import { replay } from '../explore/replay/replay.js';
import { sameVerdict } from '../explore/verdict.js';
import { verdictTitle } from '../report/exploreReport.js';
import { TraceColumns } from '../report/traceColumns.js';
import type { CliHost } from './cliHost.js';
import { ExitStatus } from './exitStatus.js';
import type { ReplayOptions } from './exploreOptions.js';
import { type PlayableFailure, withFailurePolicy } from './failurePolicy.js';
import { wholeNumber } from './optionValues.js';
import { TraceOutput } from './traceOption.js';

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
  const trace = new TraceOutput(options.trace === undefined ? {} : { trace: options.trace });
  const columns = new TraceColumns(host.stdout.isTTY ? host.stdout.columns : Number.POSITIVE_INFINITY);
  const write = (text: string): void => {
    if (options.quiet !== true) host.stdout.write(text);
  };
  const mustFit = isToFit(playable);
  const limits = { stopAt, withPages: options.verbose === true && options.quiet !== true, mustFit };
  const { verdict, isExact, isStopped } = replay(failure, limits, {
    begin: (actors) => write(columns.head(actors)),
    line: (line) => write(columns.line(line)),
  });
  if (trace.isWanted && (isStopped || isExact || !mustFit)) {
    trace.keep(recordReplay(failure, limits));
    await trace.write(null, host.stderr);
  }
  if (isStopped) {
    host.stdout.write(`stopped before step ${stopAt}\n`);
    return ExitStatus.Ok;
  }
  if (!isExact && mustFit)
    throw misfit(file, 'choices that do not fit its program: not every one of them could be made');
  return judge(playable, verdict, isExact, file, host);
}

/** With another module a program may well go another way, and one that goes differently each time does. */
function isToFit({ failure, hasOtherPolicy }: PlayableFailure): boolean {
  return !hasOtherPolicy && failure.verdict.kind !== 'nondeterminism';
}

/** @throws UserError where nothing but the file can be to blame for another end. */
function judge(
  { failure, hasOtherPolicy }: PlayableFailure,
  verdict: Failure['verdict'] | null,
  isExact: boolean,
  file: string,
  host: CliHost,
): ExitStatus {
  const wentAnotherWay = hasOtherPolicy && !isExact;
  if (verdict === null || wentAnotherWay || !sameVerdict(verdict, failure.verdict)) {
    const found = verdict === null ? 'nothing went wrong' : verdictTitle(verdict);
    const was = verdictTitle(failure.verdict);
    if (!hasOtherPolicy)
      throw misfit(file, `a verdict to which its choices do not lead: "${was}", and not "${found}"`);
    host.stdout.write(`this is not how it went: ${found}; it was ${was}\n`);
    return verdict === null ? ExitStatus.Ok : ExitStatus.CheckFailed;
  }
  host.stdout.write(`${[verdictTitle(verdict), ...verdict.details.map((line) => `  ${line}`)].join('\n')}\n`);
  return ExitStatus.CheckFailed;
}

/** Altered by somebody who has signed it anew, or damaged in a way that its digest does not tell. */
function misfit(file: string, found: string): UserError {
  return new UserError({ where: file, found, allowed: ALLOWED });
}

function read(file: string): Uint8Array {
  return readBytesFile(
    file,
    FAILURE_BYTES_MAX,
    (found) => new UserError({ where: file, found, allowed: ALLOWED }),
  );
}
