/** A sweep: independent virtual runs of one scenario, one for each seed, several at a time. */

import { assert } from '../base/assert.js';
import { colorsFor } from '../report/colors.js';
import { sweepDocument } from '../report/json.js';
import { StatusLine } from '../report/statusLine.js';
import { sweepTable, sweepVerdict } from '../report/sweepTable.js';
import { formatClock, formatCount, plural } from '../report/units.js';
import { verdictOf } from '../report/verdict.js';
import { overridesOf } from '../scenario/overrides.js';
import type { RunReport } from '../simulation/runReport.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { againLine } from './againLine.js';
import type { CliHost, SweepPool } from './cliHost.js';
import type { CommonOptions } from './commonOptions.js';
import { deliver } from './deliver.js';
import { type ExitStatus, isAbort, statusOf } from './exitStatus.js';
import { refusal, SEEDS_MAX, type SeedRange, seedRange, wholeNumber } from './optionValues.js';
import { ResultOutput } from './resultOutput.js';
import { shareOut } from './shareOut.js';
import type { StatusOptions } from './statusOption.js';
import type { TraceOptions } from './traceOption.js';

export interface SweepOptions {
  /** `first..last`. */
  readonly seeds?: string;
  readonly jobs?: string;
}

const NANOSECONDS_PER_MILLISECOND = 1e6;

/** @throws UserError also for an executor that has no seeds: only virtual runs follow from theirs. */
export async function runSweep(
  path: string,
  options: CommonOptions & SweepOptions & TraceOptions & StatusOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const seeds = seedsOf(options);
  refuseOneRunOptions(options);
  const output = new ResultOutput(host, options.json);
  const virtual: CommonOptions = { ...options, executor: 'virtual' };
  const loaded = host.simulator.loadScenario(path, { ...virtual, seed: seeds.first });
  const config = await host.simulator.withPrograms(loaded);
  assert(config.executor === 'virtual', 'a sweep has loaded a scenario for another executor');
  host.simulator.checkMachine(config);
  const jobs = jobsOf(options, seeds, config, host);
  const startMs = host.nowMs();
  const reports = await new Sweep(path, virtual, seeds, host).run(jobs);
  const wallNs = (host.nowMs() - startMs) * NANOSECONDS_PER_MILLISECOND;
  const again = { command: 'run', path, options: virtual, more: [] };
  const table = (): string =>
    sweepTable(reports, {
      colors: colorsFor(host.variables, host.stdout.isTTY),
      seeds: countOf(seeds),
      againWith: (seed) => againLine(again, { ...config, seed }),
    });
  const context = { command: 'run', config, environment: host.environment() };
  const status = statusOf(sweepVerdict(reports, countOf(seeds)));
  return deliver(host, status, [
    () => output.publish(table, () => sweepDocument(reports, seeds, wallNs, context)),
  ]);
}

function seedsOf({ seeds, jobs, executor }: CommonOptions & SweepOptions): SeedRange {
  if (seeds === undefined)
    throw refusal(`--jobs ${jobs}`, 'no --seeds', '--jobs together with --seeds FIRST..LAST');
  if (executor === 'threads') {
    throw refusal(
      '--seeds',
      '--executor threads',
      'the virtual executor, under which a run follows from its seed',
    );
  }
  return seedRange('--seeds', seeds);
}

/** What one run has and a sweep of many has not. */
function refuseOneRunOptions({ trace, report, statusInterval }: TraceOptions & StatusOptions): void {
  const typed = { trace, report, 'status-interval': statusInterval };
  const [option] = Object.entries(typed).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`],
  );
  if (option === undefined) return;
  throw refusal(option, '--seeds', 'one run, such as that of a seed which the sweep shows');
}

function jobsOf({ jobs }: SweepOptions, seeds: SeedRange, config: SimulationConfig, host: CliHost): number {
  const fit = Math.max(1, host.simulator.runsThatFit(config));
  if (jobs === undefined) return Math.min(host.environment().cores, countOf(seeds), fit);
  const asked = wholeNumber('--jobs', jobs, 1, SEEDS_MAX);
  if (asked > fit) throw refusal('--jobs', jobs, `at most ${fit}, as many runs as free memory holds`);
  return Math.min(asked, countOf(seeds));
}

function countOf({ first, last }: SeedRange): number {
  return last - first + 1;
}

class Sweep {
  private readonly path: string;
  private readonly options: CommonOptions;
  private readonly seeds: SeedRange;
  private readonly host: CliHost;
  private readonly status: StatusLine;
  private readonly reports: RunReport[] = [];
  private nextSeed: number;
  private failed = 0;

  constructor(path: string, options: CommonOptions, seeds: SeedRange, host: CliHost) {
    this.path = path;
    this.options = options;
    this.seeds = seeds;
    this.host = host;
    this.status = new StatusLine(host.stderr, options.quiet === true);
    this.nextSeed = seeds.first;
  }

  /** By seed; those that were done when an interrupt came. */
  async run(jobs: number): Promise<RunReport[]> {
    const pool = await this.host.simulator.openSweepPool(jobs, this.options.policy !== undefined);
    try {
      await this.host.interruptible(
        (signal) => this.drain(pool, jobs, signal),
        () => this.status.note('svmsim: stopping; once more to kill'),
      );
    } finally {
      this.status.clear();
      await pool.close();
    }
    return this.reports.sort((a, b) => a.seed - b.seed);
  }

  /** No more than `jobs` runs are handed out, however many seeds there are. */
  private drain(pool: SweepPool, jobs: number, signal: AbortSignal): Promise<void> {
    const startMs = this.host.nowMs();
    return shareOut(jobs, signal, async (either) => {
      while (this.nextSeed <= this.seeds.last && !either.aborted) {
        await this.runSeed(pool, this.nextSeed++, either);
        this.showProgress(startMs);
      }
    });
  }

  private async runSeed(pool: SweepPool, seed: number, signal: AbortSignal): Promise<void> {
    const overrides = overridesOf({ ...this.options, seed });
    try {
      const report = await pool.run({ scenario: this.path, overrides }, signal);
      assert(report.seed === seed, () => `the run of seed ${seed} reports seed ${report.seed}`);
      this.reports.push(report);
      if (!verdictOf(report).ok) this.failed++;
    } catch (error) {
      // A run that was ended on the way has no result.
      if (!isAbort(error)) throw error;
    }
  }

  private showProgress(startMs: number): void {
    const all = countOf(this.seeds);
    const done = this.reports.length;
    if (done === 0) return;
    const elapsedMs = this.host.nowMs() - startMs;
    const etaMs = (elapsedMs / done) * (all - done);
    const failed = this.failed === 0 ? 'none failed' : `${formatCount(this.failed)} failed`;
    this.status.show(
      `${formatCount(done)} of ${plural(all, 'seed')}, ${failed} [${formatClock(elapsedMs)}, eta ${formatClock(etaMs)}]`,
    );
  }
}
