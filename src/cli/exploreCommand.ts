/** `svmsim explore`: searches schedules for one that goes wrong. */

import { SEED_MAX } from '../base/seedMax.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import { findBug } from '../bugs/catalogue.js';
import { type Finding, isTooLong } from '../explore/block.js';
import { Exploration, type ExplorationLimits, type ExplorationReport } from '../explore/exploration.js';
import { encodeFailure, MAGIC } from '../explore/failureFile.js';
import { turnsOf } from '../explore/replay/turns.js';
import { shrink } from '../explore/shrink/shrink.js';
import { subjectOf } from '../explore/subject.js';
import type { ExplorationTarget } from '../explore/target.js';
import { exploreDocument, exploreText, type KeptFailure } from '../report/exploreReport.js';
import { StatusLine } from '../report/statusLine.js';
import { formatCount, plural } from '../report/units.js';
import type { CliHost } from './cliHost.js';
import { commandLine } from './commandLine.js';
import { deliver, isWritten } from './deliver.js';
import { ExitStatus } from './exitStatus.js';
import type { ExploreOptions } from './exploreOptions.js';
import { explorationTarget } from './exploreSource.js';
import { freeFailureFile } from './freeFailureFile.js';
import { SEARCH_JOBS_MAX, secondsAsMs, wholeNumber } from './optionValues.js';
import { keepFilesApart, type Replaceable } from './outputFiles.js';
import { FileOutput, ResultOutput } from './resultOutput.js';
import { swarmCommand } from './swarmCommand.js';

const SCHEDULES = 20_000;
const SCHEDULES_MAX = 1e9;
const SECONDS_MAX = 1e6;
const failureFiles: Replaceable = {
  what: 'an earlier failure file',
  isOne: (head) => head.startsWith(MAGIC),
};

export async function exploreCommand(
  file: string | undefined,
  typed: ExploreOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const options = { ...typed, output: typed.output ?? freeFailureFile() };
  keepFilesApart(options, [file]);
  if (options.swarm === true) return swarmCommand(file, options, host);
  const output = new ResultOutput(host, options.json);
  const failureFile = failureOutput(options);
  const limits = limitsOf(options);
  const jobs = jobsOf(options, host);
  const target = await explorationTarget(file, options, host);
  const startMs = host.nowMs();
  const report = await search(target, limits, jobs, options, host);
  const wallMs = host.nowMs() - startMs;
  const context = {
    name: subjectOf(target.source).name,
    bug: target.bug,
    expected: expectedOf(target),
    own: target,
    seed: limits.seed,
    wallMs,
    ...(await keepFailure(report.findings[0], target, options, failureFile, host)),
  };
  const table = (): string => exploreText(report, context);
  return deliver(host, statusOfSearch(report.findings.length > 0, report), [
    () => output.publish(table, () => exploreDocument(report, context, host.environment())),
  ]);
}

/** Null where the program is not the one that the bug came with. */
function expectedOf({ source, bug }: ExplorationTarget): BugOverlay['expected'] | null {
  const overlay = bug === null ? null : findBug(bug);
  return overlay?.subject === source ? overlay.expected : null;
}

/** With the file that a failure is written to. */
export interface KeptOptions extends ExploreOptions {
  readonly output: string;
}

/** What could not be decided at all is no search that found nothing: the program cannot be explored. */
export function statusOfSearch(
  hasFound: boolean,
  done: { readonly schedules: number; readonly undecided: number; readonly isPartial: boolean },
): ExitStatus {
  if (hasFound) return ExitStatus.CheckFailed;
  if (done.isPartial) return ExitStatus.Interrupted;
  return isTooLong(done) ? ExitStatus.BadInput : ExitStatus.Ok;
}

/** @throws UserError when a failure could not be kept, before one is looked for. */
export function failureOutput({ output }: KeptOptions): FileOutput {
  return new FileOutput('--output', output, failureFiles);
}

export function jobsOf({ jobs }: ExploreOptions, host: CliHost): number {
  return jobs === undefined ? host.environment().cores : wholeNumber('--jobs', jobs, 1, SEARCH_JOBS_MAX);
}

export function limitsOf({
  schedules,
  seconds,
  seed,
  strategy,
  keepGoing,
}: ExploreOptions): ExplorationLimits {
  const unlimited = seconds === undefined ? SCHEDULES : SCHEDULES_MAX;
  return {
    schedules: schedules === undefined ? unlimited : wholeNumber('--schedules', schedules, 1, SCHEDULES_MAX),
    seconds:
      seconds === undefined
        ? Number.POSITIVE_INFINITY
        : secondsAsMs('--seconds', seconds, 1, SECONDS_MAX * 1000) / 1000,
    seed: wholeNumber('--seed', seed, 0, SEED_MAX),
    strategy: strategy ?? null,
    keepGoing: keepGoing === true,
  };
}

async function search(
  target: ExplorationTarget,
  limits: ExplorationLimits,
  jobs: number,
  { quiet }: ExploreOptions,
  host: CliHost,
): Promise<ExplorationReport> {
  const status = new StatusLine(host.stderr, quiet === true);
  const startMs = host.nowMs();
  const progress = (schedules: number, found: number): void => {
    const rate = (1000 * schedules) / Math.max(1, host.nowMs() - startMs);
    status.show(
      `${plural(schedules, 'schedule')}, ${formatCount(Math.round(rate))}/s, ${found === 0 ? 'nothing' : found} found`,
    );
  };
  const pool = await host.simulator.openExplorePool(jobs, target.policyFile !== undefined);
  try {
    const exploration = new Exploration(
      target,
      limits,
      (block, signal) => pool.run({ block, stopAtFirst: !limits.keepGoing }, signal),
      () => host.nowMs(),
      progress,
    );
    return await host.interruptible(
      (signal) => exploration.run(jobs, signal),
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } finally {
    status.clear();
    await pool.close();
  }
}

/** The failure, made smaller unless told otherwise, and where it was written. */
export async function keepFailure(
  first: Finding | undefined,
  target: ExplorationTarget,
  { output, policy, shrink: isWanted = true }: KeptOptions,
  file: FileOutput,
  host: CliHost,
): Promise<KeptFailure> {
  if (first === undefined) return { replay: null, shrunk: null, turns: null };
  const found = { target, ...first };
  const write = (failure: typeof found): Promise<boolean> =>
    isWritten(host, () => file.write(() => encodeFailure(failure, host.version)));
  // At once: whoever stops the shrinking, which can take minutes, keeps what was found.
  let isKept = await write(found);
  const shrunk = isWanted ? shrink(target, first) : null;
  const kept = shrunk === null ? found : { target: shrunk.target, ...shrunk.finding };
  if (shrunk !== null && isKept) isKept = await write(kept);
  const words = ['svmsim', 'replay', output, ...(policy === undefined ? [] : ['--policy', policy])];
  const replay = isKept ? { file: output, command: commandLine(words) } : null;
  return { replay, shrunk, turns: turnsOf(kept) };
}
