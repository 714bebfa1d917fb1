/** `svmsim bench migrate`: runs the migration benchmark cell by cell and says what it measured. */

import type { Command } from 'commander';
import { PAGE_BYTES } from '../../base/units.js';
import { colorsFor } from '../../report/colors.js';
import { migrateDocument } from '../../report/json.js';
import { migrateReport, migrateVerdict } from '../../report/migrateReport.js';
import { StatusLine } from '../../report/statusLine.js';
import { formatBandwidth, formatBytes, plural } from '../../report/units.js';
import { formatSize } from '../../scenario/quantities.js';
import type { MigrateCell } from '../../simulation/benchMigrate.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { CliHost } from '../cliHost.js';
import { isAbort, statusOf } from '../exitStatus.js';
import { refusal, sizeList, wholeNumber } from '../optionValues.js';
import { scenarioPath } from '../scenarioPath.js';
import { type Benchmark, type BenchOptions, type BenchOutcome, textOption } from './benchmark.js';

const DEFAULT_SIZES = '4KiB,64KiB,2MiB';
const DEFAULT_SCENARIO = 'bench-migrate';
/** Fewer have no median worth the name. */
const SAMPLES_MIN = 3;
const SAMPLES_MAX = 10_000;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/** What is measured, once all options are known to be good. */
interface Plan {
  readonly config: SimulationConfig;
  readonly sizesBytes: readonly number[];
  readonly samples: number;
  readonly quiet: boolean;
}

interface Measured {
  readonly cells: readonly MigrateCell[];
  readonly wallNs: number;
  readonly partial: boolean;
}

export const migrateBenchmark: Benchmark = {
  name: 'migrate',
  what: 'migration throughput from RAM to VRAM, back, and from device to device, directly and through RAM',
  addOptions: (command: Command) => {
    command.option('--sizes <list>', 'migrate: buffer sizes', DEFAULT_SIZES);
  },
  prepare: (options, host) => {
    const plan = planFor(options, host);
    return () => measured(plan, host);
  },
};

function planFor(options: BenchOptions, host: CliHost): Plan {
  const sizes = textOption(options, 'sizes', DEFAULT_SIZES);
  const sizesBytes = sizeList('--sizes', sizes);
  const samples = wholeNumber('--samples', options.samples, SAMPLES_MIN, SAMPLES_MAX);
  const config = host.simulator.loadScenario(scenarioPath(options.scenario ?? DEFAULT_SCENARIO), options);
  checkSizes(sizesBytes, sizes, config);
  host.simulator.checkMachine(config);
  return { config, sizesBytes, samples, quiet: options.quiet === true };
}

async function measured(plan: Plan, host: CliHost): Promise<BenchOutcome> {
  const { config } = plan;
  const result = await measure(plan, host);
  const { cells, partial } = result;
  const colors = colorsFor(host.variables, host.stdout.isTTY);
  const context = { command: 'bench', config, environment: host.environment() };
  return {
    table: () => migrateReport(cells, { colors, executor: config.executor, partial }),
    document: () => migrateDocument(cells, result, context),
    status: statusOf(migrateVerdict(cells, partial)),
  };
}

/** @throws UserError for a buffer that would not fit where it has to go. */
function checkSizes(
  sizesBytes: readonly number[],
  typed: string,
  { ramPages, device }: SimulationConfig,
): void {
  const most = Math.min(ramPages, device.vramPages) * PAGE_BYTES;
  const tooLarge = sizesBytes.find((size) => size > most);
  if (tooLarge === undefined) return;
  const where = device.vramPages <= ramPages ? 'VRAM of a device' : 'RAM';
  throw refusal(`--sizes ${typed}`, formatSize(tooLarge), `at most ${formatSize(most)}, the ${where}`);
}

async function measure({ config, sizesBytes, samples, quiet }: Plan, host: CliHost): Promise<Measured> {
  const status = new StatusLine(host.stderr, quiet);
  const startMs = host.nowMs();
  const cells: MigrateCell[] = [];
  let partial = false;
  const onCell = (cell: MigrateCell): void => {
    cells.push(cell);
    status.show(progressText(cells.length, cell));
  };
  try {
    await host.interruptible(
      async (signal) => {
        signal.addEventListener('abort', () => {
          partial = true;
        });
        await host.simulator.benchMigrate(config, { sizesBytes, samples, signal, onCell });
      },
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } catch (error) {
    // The cells that were done are the result.
    if (!partial || !isAbort(error)) throw error;
  } finally {
    status.clear();
  }
  return { cells, partial, wallNs: (host.nowMs() - startMs) * NANOSECONDS_PER_MILLISECOND };
}

function progressText(done: number, { source, destination, path, sizeBytes, wall }: MigrateCell): string {
  const cell = `${source} to ${destination} (${path}) ${formatBytes(sizeBytes)} ${formatBandwidth(wall.bytesPerSecond)} wall`;
  return `${plural(done, 'cell')} measured, last ${cell}`;
}
