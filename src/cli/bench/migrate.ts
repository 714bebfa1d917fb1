/** `svmsim bench migrate`: how fast pages move between RAM and VRAM and from device to device. */

import { median } from '../../base/statistics.js';
import { migrateReport } from '../../report/bench/migrate.js';
import { DEFAULT_RANGE_BYTES, migrateKey } from '../../report/bench/migrateKey.js';
import { formatBandwidth } from '../../report/units.js';
import { formatSize } from '../../scenario/quantities.js';
import {
  type MigrateCell,
  type MigrateOptions,
  type MigrateVariant,
  migrateObstacle,
} from '../../simulation/bench/migrate.js';
import {
  defaultMigrateTests,
  type MigrateTestName,
  migrateTestNames,
  migrateTests,
} from '../../simulation/bench/migrateTests.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import { chosenOf, rangeSizes, refusal, sizeList } from '../optionValues.js';
import { type Benchmark, type BenchOptions, textOption } from './benchmark.js';

const DEFAULT_SIZES = '4KiB,64KiB,2MiB';
const SIZE_BYTES_MAX = 2 ** 28;
const switchChoices = ['off', 'on', 'both'];

export const migrateBenchmark: Benchmark<MigrateOptions, MigrateCell> = {
  name: 'migrate',
  what: 'migration throughput from RAM to VRAM, back, and from device to device, directly and through RAM',
  scenario: 'bench-migrate',
  tests: migrateTestNames.map((name) => ({ name, what: migrateTests[name].what })),
  takes: ['clock', 'devices', 'layout', 'sizes', 'tests', 'ranges', 'storm', 'join', 'policy'],
  samplesMax: 10_000,
  report: migrateReport,
  plan: ({ typed, config, samples, clocks }) => {
    const variants = variantsOf(typed, config);
    const options = { variants, samples, clocks };
    return { options, largest: config, keys: variants.map(migrateKey) };
  },
  measure: (simulator, config, options) => simulator.bench.migrate(config, options),
  progress: (cell) => {
    const wall = cell.flows[0]?.wall ?? null;
    const speeds = wall?.times.map((ns, i) => (wall.bytes[i] / ns) * 1e9) ?? [];
    const speed = speeds.length === 0 ? '' : ` ${formatBandwidth(median(speeds))} (wall)`;
    return `${migrateKey(cell)} ${cell.status}${speed}`;
  },
};

/** In the order in which they are measured; of those that are the same, one. */
function variantsOf(typed: BenchOptions, config: SimulationConfig): MigrateVariant[] {
  const tests = chosenOf(
    '--tests',
    textOption(typed, 'tests', defaultMigrateTests.join(',')),
    migrateTestNames,
  );
  const sizes = sizesOf(typed, config);
  const ranges = rangeSizes(textOption(typed, 'ranges', formatSize(DEFAULT_RANGE_BYTES)));
  const storms = switched('--storm', textOption(typed, 'storm', 'off'));
  const joins = switched('--join', textOption(typed, 'join', 'both'));
  const variants = tests.flatMap((test) =>
    sizes.flatMap((sizeBytes) =>
      ranges.flatMap((range) => {
        const rangeBytes = Math.min(range, sizeBytes);
        return joins.flatMap((join) =>
          storms.map((storm) => ({
            test,
            sizeBytes,
            rangeBytes,
            storm,
            joined: join && mayJoin(test, rangeBytes),
          })),
        );
      }),
    ),
  );
  return [...new Map(variants.map((variant) => [migrateKey(variant), variant])).values()];
}

/** @throws UserError for a buffer that would not fit where it has to go in the plainest test. */
function sizesOf(typed: BenchOptions, config: SimulationConfig): number[] {
  const text = textOption(typed, 'sizes', DEFAULT_SIZES);
  const sizes = sizeList('--sizes', text);
  const plain = {
    test: 'host_to_device',
    rangeBytes: DEFAULT_RANGE_BYTES,
    storm: false,
    joined: false,
  } as const;
  const tooLarge = sizes.find(
    (sizeBytes) => sizeBytes > SIZE_BYTES_MAX || migrateObstacle(config, { ...plain, sizeBytes }) !== null,
  );
  if (tooLarge === undefined) return sizes;
  const room = Math.min(config.ramPages, config.device.vramPages) * 4096;
  const where = config.device.vramPages <= config.ramPages ? 'VRAM of a device' : 'RAM';
  const most = room < SIZE_BYTES_MAX ? `${formatSize(room)}, the ${where}` : formatSize(SIZE_BYTES_MAX);
  throw refusal(`--sizes ${text}`, formatSize(tooLarge), `at most ${most}`);
}

/** One that fills a block has no other to migrate with, and what the code of a device copies does not migrate. */
function mayJoin(test: MigrateTestName, rangeBytes: number): boolean {
  return rangeBytes < DEFAULT_RANGE_BYTES && test !== 'local';
}

/** @throws UserError */
function switched(option: string, typed: string): boolean[] {
  if (!switchChoices.includes(typed)) throw refusal(option, typed, switchChoices.join(', '));
  return typed === 'both' ? [false, true] : [typed === 'on'];
}
