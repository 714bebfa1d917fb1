/** The frame of every benchmark: reads what is common, loads the machine, measures cell by cell with a status line, and sums up what came out. */

import type { BenchPart } from '../../report/bench/benchDocument.js';
import { benchVerdict } from '../../report/bench/benchReport.js';
import { type FigureUnit, figureName, figuresOf, type Metric } from '../../report/bench/figure.js';
import { noiseWarnings, stolenWarning } from '../../report/bench/noise.js';
import { clockOf } from '../../report/clock.js';
import type { ReportBlock } from '../../report/reportBlock.js';
import { StatusLine } from '../../report/statusLine.js';
import { plural } from '../../report/units.js';
import type { Verdict } from '../../report/verdict.js';
import type { BenchClocks } from '../../simulation/bench/benchRun.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { CliHost } from '../cliHost.js';
import { isAbort } from '../exitStatus.js';
import { refusal, wholeNumber } from '../optionValues.js';
import { scenarioPath } from '../scenarioPath.js';
import type { Benchmark, BenchOptions, NamedTest } from './benchmark.js';
import {
  type BenchOptionName,
  clockChoices,
  DEFAULT_SAMPLES,
  type SharedOptionName,
} from './benchOptions.js';

/** Fewer have no median worth the name. */
const SAMPLES_MIN = 3;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/** What came out of one benchmark. */
export interface BenchOutcome extends BenchPart {
  readonly blocks: readonly ReportBlock[];
  readonly verdict: Verdict;
}

/** A benchmark whose options have been looked at. */
export interface PreparedBenchmark {
  /** Units of all figures that it will have, by their names. */
  readonly figures: ReadonlyMap<string, FigureUnit>;
  measure(): Promise<BenchOutcome>;
}

/** A benchmark of whatever cells. */
export interface AnyBenchmark {
  readonly name: string;
  readonly what: string;
  /** Its tests, where single ones can be chosen. */
  readonly tests: readonly NamedTest[];
  readonly takes: readonly BenchOptionName[];
  readonly without: readonly SharedOptionName[];
  readonly takesPresets: boolean;
  readonly onlyByName: boolean;
  /** Looks at all that was typed before anything is measured. @throws UserError */
  prepare(options: BenchOptions, host: CliHost): PreparedBenchmark;
}

export function framed<Options, Cell>(benchmark: Benchmark<Options, Cell>): AnyBenchmark {
  const { name, what, tests = [], takes, without = [], takesPresets = false, onlyByName = false } = benchmark;
  const prepare: AnyBenchmark['prepare'] = (options, host) => prepared(benchmark, options, host);
  return { name, what, tests, takes, without, takesPresets, onlyByName, prepare };
}

function prepared<Options, Cell>(
  benchmark: Benchmark<Options, Cell>,
  typed: BenchOptions,
  host: CliHost,
): PreparedBenchmark {
  const samples = wholeNumber(
    '--samples',
    typed.samples ?? DEFAULT_SAMPLES,
    SAMPLES_MIN,
    benchmark.samplesMax,
  );
  const { devices, ...others } = typed;
  const overrides = benchmark.sweepsDevices === true ? others : typed;
  const config = host.simulator.loadScenario(scenarioPath(typed.scenario ?? benchmark.scenario), overrides);
  const clocks = clocksOf(typed, config);
  const plan = benchmark.plan({ typed, config, samples, clocks });
  host.simulator.checkMachine(plan.largest);
  const measuresAll = !benchmark.takes.includes('clock');
  const units = Object.entries(benchmark.report.metrics).filter(
    ([, metric]) => measuresAll || isMeasured(metric, clocks),
  );
  const figures = new Map(
    plan.keys.flatMap((key) =>
      units.map(([metric, { unit }]) => [figureName(benchmark.name, key, metric), unit] as const),
    ),
  );
  return {
    figures,
    measure: async () =>
      outcomeOf(benchmark, plan.largest, await measured(benchmark, config, plan.options, typed, host)),
  };
}

function isMeasured({ clock, needsBothClocks }: Metric, clocks: BenchClocks): boolean {
  if (needsBothClocks) return clocks.wall && clocks.simulated;
  return clock === 'count' || clocks[clock];
}

/** Under `virtual` there is no wall time that says anything about the machine, so it must be asked for. @throws UserError */
function clocksOf({ clock, executor: typed }: BenchOptions, { executor }: SimulationConfig): BenchClocks {
  const only = typed === undefined ? undefined : clockOf(executor);
  if (only !== undefined && clock !== undefined && clock !== 'both' && clock !== only)
    throw refusal(
      `--clock ${clock}`,
      `--executor ${executor}`,
      `the ${only} clock with that executor, or both`,
    );
  const chosen = clock ?? (executor === 'virtual' ? 'simulated' : 'both');
  switch (chosen) {
    case 'wall':
      return { wall: true, simulated: false };
    case 'simulated':
      return { wall: false, simulated: true };
    case 'both':
      return { wall: true, simulated: true };
    default:
      throw refusal('--clock', String(clock), clockChoices.join(', '));
  }
}

interface Measured<Cell> {
  readonly cells: readonly Cell[];
  readonly wallNs: number;
  /** The part of all processors' time that others had meanwhile. */
  readonly stolenShare: number;
  readonly partial: boolean;
}

async function measured<Options, Cell>(
  benchmark: Benchmark<Options, Cell>,
  config: SimulationConfig,
  options: Options,
  { quiet }: BenchOptions,
  host: CliHost,
): Promise<Measured<Cell>> {
  const status = new StatusLine(host.stderr, quiet === true);
  const startMs = host.nowMs();
  const stolenBeforeMs = host.stolenMs() ?? 0;
  const cells: Cell[] = [];
  let partial = false;
  const onCell = (cell: Cell): void => {
    cells.push(cell);
    status.show(`${plural(cells.length, 'cell')} measured, last ${benchmark.progress(cell)}`);
  };
  try {
    await host.interruptible(
      async (signal) => {
        signal.addEventListener('abort', () => {
          partial = true;
        });
        await benchmark.measure(host.simulator, config, { ...options, signal, onCell });
      },
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } catch (error) {
    // The cells that were done are the result.
    if (!partial || !isAbort(error)) throw error;
  } finally {
    status.clear();
  }
  const wallMs = host.nowMs() - startMs;
  const stolenShare = ((host.stolenMs() ?? 0) - stolenBeforeMs) / (wallMs * host.environment().cores);
  return { cells, partial, wallNs: wallMs * NANOSECONDS_PER_MILLISECOND, stolenShare };
}

function outcomeOf<Options, Cell>(
  { name, report }: Benchmark<Options, Cell>,
  config: SimulationConfig,
  { cells, wallNs, stolenShare, partial }: Measured<Cell>,
): BenchOutcome {
  const checks = cells.length === 0 ? [] : report.checks(cells);
  const verdict = benchVerdict(checks, partial);
  const figures = figuresOf(
    name,
    cells.map((cell) => report.measured(cell)),
    report.metrics,
  );
  return {
    name,
    config,
    checks,
    results: cells.flatMap((cell) => report.results(cell)),
    statuses: report.statuses?.(cells) ?? [],
    figures,
    blocks: cells.length === 0 ? [] : report.blocks(cells, config),
    partial,
    ok: verdict.ok,
    verdict,
    wallNs,
    warnings: [...noiseWarnings(figures), ...stolenWarning(figures, stolenShare)],
  };
}
