/** `svmsim bench mirror`: the layouts of a mirror beside one another. */

import type { Command } from 'commander';
import { colorsFor } from '../../report/colors.js';
import { mirrorDocument } from '../../report/json.js';
import { mirrorReport, mirrorVerdict } from '../../report/mirrorReport.js';
import { StatusLine } from '../../report/statusLine.js';
import { formatNs } from '../../report/units.js';
import type { MirrorCell } from '../../simulation/benchMirror.js';
import { LIMITS, type SimulationConfig } from '../../simulation/simulationConfig.js';
import type { CliHost } from '../cliHost.js';
import { isAbort, statusOf } from '../exitStatus.js';
import { refusal, wholeNumber } from '../optionValues.js';
import { scenarioPath } from '../scenarioPath.js';
import { type Benchmark, type BenchOptions, type BenchOutcome, textOption } from './benchmark.js';

const DEFAULT_COUNTS = '1,2,4,8,16';
const DEFAULT_SCENARIO = 'bench-mirror';
const SAMPLES_MIN = 3;
const SAMPLES_MAX = 1000;
const NANOSECONDS_PER_MILLISECOND = 1e6;

interface Plan {
  readonly config: SimulationConfig;
  readonly deviceCounts: readonly number[];
  readonly rounds: number;
  readonly quiet: boolean;
}

interface Measured {
  readonly cells: readonly MirrorCell[];
  readonly wallNs: number;
  readonly partial: boolean;
}

export const mirrorBenchmark: Benchmark = {
  name: 'mirror',
  what: 'a mirror per device, one for all, and one HMM fault for all: faults, callbacks, metadata and times by number of devices',
  addOptions: (command: Command) => {
    command.option('--device-counts <list>', 'mirror: numbers of devices, ascending', DEFAULT_COUNTS);
  },
  prepare: (options, host) => {
    const plan = planFor(options, host);
    return () => measured(plan, host);
  },
};

/** One run has one number of devices at a time; `--devices` is that one alone. */
function planFor(options: BenchOptions, host: CliHost): Plan {
  const only = options.devices === undefined ? DEFAULT_COUNTS : String(options.devices);
  const typed = textOption(options, 'deviceCounts', DEFAULT_COUNTS);
  const deviceCounts = countsOf(typed === DEFAULT_COUNTS ? only : typed);
  const rounds = wholeNumber('--samples', options.samples, SAMPLES_MIN, SAMPLES_MAX);
  const config = host.simulator.loadScenario(scenarioPath(options.scenario ?? DEFAULT_SCENARIO), options);
  host.simulator.checkMachine({ ...config, deviceCount: deviceCounts[deviceCounts.length - 1] });
  return { config, deviceCounts, rounds, quiet: options.quiet === true };
}

/** @throws UserError */
function countsOf(typed: string): number[] {
  const counts = typed.split(',').map((text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN));
  const good = counts.every(
    (count, i) => count >= 1 && count <= LIMITS.devicesMax && !(count <= counts[i - 1]),
  );
  if (good) return counts;
  throw refusal(
    '--device-counts',
    typed,
    `ascending whole numbers from 1 to ${LIMITS.devicesMax}, with commas between`,
  );
}

async function measured(plan: Plan, host: CliHost): Promise<BenchOutcome> {
  const { config } = plan;
  const result = await measure(plan, host);
  const { cells, partial } = result;
  const colors = colorsFor(host.variables, host.stdout.isTTY);
  const context = { command: 'bench', config, environment: host.environment() };
  return {
    table: () => mirrorReport(cells, partial, colors),
    document: () => mirrorDocument(cells, result, context),
    status: statusOf(mirrorVerdict(cells, partial)),
  };
}

async function measure({ config, deviceCounts, rounds, quiet }: Plan, host: CliHost): Promise<Measured> {
  const status = new StatusLine(host.stderr, quiet);
  const startMs = host.nowMs();
  const cells: MirrorCell[] = [];
  let partial = false;
  const onCell = (cell: MirrorCell): void => {
    cells.push(cell);
    status.show(`${cell.name}: first access ${formatNs(cell.simulated.firstAccessNs)} simulated`);
  };
  try {
    await host.interruptible(
      async (signal) => {
        signal.addEventListener('abort', () => {
          partial = true;
        });
        await host.simulator.benchMirror(config, { deviceCounts, rounds, signal, onCell });
      },
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } catch (error) {
    // What was measured is the result.
    if (!partial || !isAbort(error)) throw error;
  } finally {
    status.clear();
  }
  return { cells, partial, wallNs: (host.nowMs() - startMs) * NANOSECONDS_PER_MILLISECOND };
}
