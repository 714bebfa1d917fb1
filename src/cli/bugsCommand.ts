/** `svmsim bugs`: the catalogue of known bugs; hunts one, or lets the strategies race for all. */

import { SEED_MAX } from '../base/seedMax.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import { allBugs } from '../bugs/catalogue.js';
import { findNotExpressed } from '../bugs/notExpressed.js';
import { Exploration, type ExplorationReport } from '../explore/exploration.js';
import { racers, type StrategyName } from '../explore/strategies/makeStrategy.js';
import { isExpected } from '../explore/verdict.js';
import {
  bugsDocument,
  bugsTable,
  bugText,
  notExpressedText,
  type RaceCell,
  raceDocument,
  raceHolds,
  raceTable,
} from '../report/bugsReport.js';
import { StatusLine } from '../report/statusLine.js';
import { BUGS_SEED, type BugsOptions, RACE_SCHEDULES } from './bugsOptions.js';
import type { CliHost, ExplorePool } from './cliHost.js';
import { deliver } from './deliver.js';
import { ExitStatus } from './exitStatus.js';
import { exploreCommand } from './exploreCommand.js';
import { bugNamed } from './exploreSource.js';
import { refusal, SEARCH_JOBS_MAX, secondsAsMs, wholeNumber } from './optionValues.js';
import { ResultOutput } from './resultOutput.js';

const SCHEDULES_MAX = 1e9;
const SECONDS_MAX = 1e6;
const huntOptions = ['seconds', 'schedules', 'seed', 'jobs', 'output'] as const;

export async function bugsCommand(
  id: string | undefined,
  options: BugsOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (id !== undefined) return showOne(id, options, host);
  if (options.hunt !== undefined && options.race === true)
    throw refusal('--hunt', 'together with --race', 'one of the two');
  if (options.hunt !== undefined) return hunt(options.hunt, options, host);
  if (options.race === true) {
    refuseOf(options, ['output'], 'with --hunt, which writes one file');
    return race(options, host);
  }
  refuseOf(options, huntOptions, 'with --hunt or --race');
  return list(options, host);
}

/** Options that would change nothing. @throws UserError */
function refuseOf(options: BugsOptions, names: readonly (keyof BugsOptions)[], allowed: string): void {
  for (const name of names) {
    if (options[name] === undefined) continue;
    throw refusal(`--${name} ${options[name]}`, 'nothing that it concerns', allowed);
  }
}

function list({ json }: BugsOptions, host: CliHost): ExitStatus {
  new ResultOutput(host, json).publish(bugsTable, () => bugsDocument(host.environment()));
  return ExitStatus.Ok;
}

function showOne(id: string, options: BugsOptions, host: CliHost): ExitStatus {
  const known = findNotExpressed(id);
  const overlay = known === null ? bugNamed(id, 'bugs') : null;
  const other = (['hunt', 'race'] as const).find((name) => options[name] !== undefined);
  if (other !== undefined) throw refusal(`bugs ${id}`, `together with --${other}`, 'one of the two');
  refuseOf(options, huntOptions, 'with --hunt or --race');
  const output = new ResultOutput(host, options.json);
  const shown = { bugs: overlay === null ? [] : [overlay], others: known === null ? [] : [known] };
  output.publish(
    () => [...shown.bugs.map(bugText), ...shown.others.map(notExpressedText)].join(''),
    () => bugsDocument(host.environment(), shown),
  );
  return ExitStatus.Ok;
}

function hunt(
  bug: string,
  { hunt: _hunt, race: _race, ...options }: BugsOptions,
  host: CliHost,
): Promise<ExitStatus> {
  bugNamed(bug, '--hunt');
  return exploreCommand(undefined, { ...options, seed: options.seed ?? BUGS_SEED, bug }, host);
}

async function race(options: BugsOptions, host: CliHost): Promise<ExitStatus> {
  const output = new ResultOutput(host, options.json);
  const limits = {
    schedules: wholeNumber('--schedules', options.schedules ?? RACE_SCHEDULES, 1, SCHEDULES_MAX),
    seconds:
      options.seconds === undefined
        ? Number.POSITIVE_INFINITY
        : secondsAsMs('--seconds', options.seconds, 1, SECONDS_MAX * 1000) / 1000,
    seed: wholeNumber('--seed', options.seed ?? BUGS_SEED, 0, SEED_MAX),
    keepGoing: false,
  };
  const { cores } = host.environment();
  const jobs = options.jobs === undefined ? cores : wholeNumber('--jobs', options.jobs, 1, SEARCH_JOBS_MAX);
  const status = new StatusLine(host.stderr, options.quiet === true);
  const cells: RaceCell[] = [];
  const startMs = host.nowMs();
  const pool = await host.simulator.openExplorePool(jobs);
  try {
    await host.interruptible(
      async (signal) => {
        for (const bug of allBugs) {
          for (const strategy of racers) {
            if (signal.aborted) return;
            status.show(`${bug.id} by ${strategy}: ${cells.length}/${allBugs.length * racers.length}`);
            const cell = await raceOne(bug, strategy, limits, jobs, pool, host, signal);
            // A search that was cut short says nothing of its strategy.
            if (cell !== null) cells.push(cell);
          }
        }
      },
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } finally {
    status.clear();
    await pool.close();
  }
  const partial = cells.length < allBugs.length * racers.length;
  const wallNs = (host.nowMs() - startMs) * 1e6;
  const context = { seed: limits.seed, partial, wallNs, environment: host.environment() };
  const table = (): string => raceTable(cells, partial);
  const ended = partial ? ExitStatus.Interrupted : ExitStatus.Ok;
  return deliver(host, raceHolds(cells) ? ended : ExitStatus.CheckFailed, [
    () => output.publish(table, () => raceDocument(cells, context)),
  ]);
}

async function raceOne(
  bug: BugOverlay,
  strategy: StrategyName,
  limits: { schedules: number; seconds: number; seed: number; keepGoing: boolean },
  jobs: number,
  pool: ExplorePool,
  host: CliHost,
  signal: AbortSignal,
): Promise<RaceCell | null> {
  const startMs = host.nowMs();
  const exploration = new Exploration(
    { source: bug.subject, bug: bug.id },
    { ...limits, strategy },
    (block, ended) => pool.run({ block, stopAtFirst: true }, ended),
    () => host.nowMs(),
  );
  const report = await exploration.run(jobs, signal);
  if (report.isPartial && report.findings.length === 0) return null;
  return { bug: bug.id, strategy, ...foundIn(report, bug), wallSeconds: (host.nowMs() - startMs) / 1000 };
}

function foundIn(
  { findings: [first], schedules }: ExplorationReport,
  { expected }: BugOverlay,
): Pick<RaceCell, 'schedules' | 'found'> {
  if (first === undefined) return { schedules, found: 'no' };
  return { schedules: first.schedule + 1, found: isExpected(first.verdict, expected) ? 'yes' : 'otherwise' };
}
