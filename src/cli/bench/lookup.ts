/** `svmsim bench lookup`: what a look-up by address costs among more and more entries. */

import type { Command } from 'commander';
import { colorsFor } from '../../report/colors.js';
import { lookupDocument } from '../../report/json.js';
import { lookupReport, lookupVerdict } from '../../report/lookupReport.js';
import { StatusLine } from '../../report/statusLine.js';
import { formatCount, formatNs } from '../../report/units.js';
import type { LookupCell } from '../../simulation/benchLookup.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { CliHost } from '../cliHost.js';
import { isAbort, statusOf } from '../exitStatus.js';
import { refusal, wholeNumber } from '../optionValues.js';
import { scenarioPath } from '../scenarioPath.js';
import { type Benchmark, type BenchOptions, type BenchOutcome, textOption } from './benchmark.js';

const DEFAULT_ENTRIES = '1000,10000,100000,1000000';
const DEFAULT_SCENARIO = 'bench-migrate';
const SAMPLES_MIN = 3;
const SAMPLES_MAX = 10_000;
const ENTRIES_MAX = 10_000_000;
const COUNTS_MAX = 20;
const NANOSECONDS_PER_MILLISECOND = 1e6;

interface Plan {
  readonly config: SimulationConfig;
  readonly entries: readonly number[];
  readonly samples: number;
  readonly quiet: boolean;
}

interface Measured {
  readonly cells: readonly LookupCell[];
  readonly wallNs: number;
  readonly partial: boolean;
}

export const lookupBenchmark: Benchmark = {
  name: 'lookup',
  what: 'look-ups of ranges, notifiers and GPU mappings by address, among a thousand to a million of them',
  addOptions: (command: Command) => {
    command.option('--entries <list>', 'lookup: how many entries, ascending', DEFAULT_ENTRIES);
  },
  prepare: (options, host) => {
    const plan = planFor(options, host);
    return () => measured(plan, host);
  },
};

function planFor(options: BenchOptions, host: CliHost): Plan {
  const entries = entriesOf(textOption(options, 'entries', DEFAULT_ENTRIES));
  const samples = wholeNumber('--samples', options.samples, SAMPLES_MIN, SAMPLES_MAX);
  const config = host.simulator.loadScenario(scenarioPath(options.scenario ?? DEFAULT_SCENARIO), options);
  host.simulator.checkMachine(config);
  return { config, entries, samples, quiet: options.quiet === true };
}

/** @throws UserError */
function entriesOf(typed: string): number[] {
  const counts = typed.split(',').map((text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN));
  const good = counts.every((count, i) => count >= 1 && count <= ENTRIES_MAX && !(count <= counts[i - 1]));
  if (good && counts.length <= COUNTS_MAX) return counts;
  const allowed = `up to ${COUNTS_MAX} ascending whole numbers from 1 to ${ENTRIES_MAX}, with commas between`;
  throw refusal('--entries', typed, allowed);
}

async function measured(plan: Plan, host: CliHost): Promise<BenchOutcome> {
  const { config } = plan;
  const result = await measure(plan, host);
  const { cells, partial } = result;
  const colors = colorsFor(host.variables, host.stdout.isTTY);
  const context = { command: 'bench', config, environment: host.environment() };
  return {
    table: () => lookupReport(cells, partial, colors),
    document: () => lookupDocument(cells, result, context),
    status: statusOf(lookupVerdict(cells, partial)),
  };
}

async function measure({ config, entries, samples, quiet }: Plan, host: CliHost): Promise<Measured> {
  const status = new StatusLine(host.stderr, quiet);
  const startMs = host.nowMs();
  const cells: LookupCell[] = [];
  let partial = false;
  const onCell = (cell: LookupCell): void => {
    cells.push(cell);
    status.show(`${cell.name} among ${formatCount(cell.entries)}: ${formatNs(cell.wall.nsPerLookup)} wall`);
  };
  try {
    await host.interruptible(
      async (signal) => {
        signal.addEventListener('abort', () => {
          partial = true;
        });
        await host.simulator.benchLookup(config, { entries, samples, signal, onCell });
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
