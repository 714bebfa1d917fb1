/** `svmsim bench migrate`: how fast pages move between RAM and VRAM and from device to device. */

import { median } from '../../base/statistics.js';
import { PAGE_BYTES } from '../../base/units.js';
import { migrateKey, migrateReport } from '../../report/bench/migrate.js';
import { formatBandwidth, formatBytes } from '../../report/units.js';
import { formatSize } from '../../scenario/quantities.js';
import { type MigrateCell, type MigrateOptions, migrateRoutes } from '../../simulation/bench/migrate.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import { refusal, sizeList } from '../optionValues.js';
import { type Benchmark, textOption } from './benchmark.js';

const DEFAULT_SIZES = '4KiB,64KiB,2MiB';

export const migrateBenchmark: Benchmark<MigrateOptions, MigrateCell> = {
  name: 'migrate',
  what: 'migration throughput from RAM to VRAM, back, and from device to device, directly and through RAM',
  scenario: 'bench-migrate',
  takes: ['clock', 'devices', 'layout', 'sizes'],
  samplesMax: 10_000,
  report: migrateReport,
  plan: ({ typed, config, samples, clocks }) => {
    const sizes = textOption(typed, 'sizes', DEFAULT_SIZES);
    const sizesBytes = sizeList('--sizes', sizes);
    checkSizes(sizesBytes, sizes, config);
    const keys = sizesBytes.flatMap((sizeBytes) =>
      migrateRoutes(config.deviceCount).map((route) => migrateKey({ ...route, sizeBytes })),
    );
    return { options: { sizesBytes, samples, clocks }, largest: config, keys };
  },
  measure: (simulator, config, options) => simulator.bench.migrate(config, options),
  progress: ({ source, destination, path, sizeBytes, wall }) => {
    const speed = wall === null ? '' : ` ${formatBandwidth((wall.bytes / median(wall.times)) * 1e9)} wall`;
    return `${source} to ${destination} (${path}) ${formatBytes(sizeBytes)}${speed}`;
  },
};

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
