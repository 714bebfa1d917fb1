/** `svmsim bench fault`: faults of a GPU per second, and how long each waits. */

import { join } from 'node:path';
import { median } from '../../base/statistics.js';
import { faultKey, faultReport } from '../../report/bench/fault.js';
import { formatCount } from '../../report/units.js';
import { configDir } from '../../scenario/presets.js';
import { type FaultCell, type FaultOptions, faultPages } from '../../simulation/bench/fault.js';
import { LIMITS } from '../../simulation/simulationConfig.js';
import { ascendingCounts, rangeSizes } from '../optionValues.js';
import { type Benchmark, textOption } from './benchmark.js';

const DEFAULT_RANGES = '4KiB,64KiB,2MiB';
const DEFAULT_OUTSTANDING = '1,8,64';
const KERNEL_PROGRAM = join('bench', 'minorFaults.c');

export const faultBenchmark: Benchmark<FaultOptions, FaultCell> = {
  name: 'fault',
  what: 'GPU faults per second and their latency, on present pages, on pages that migrate and on holes',
  scenario: 'bench-migrate',
  takes: ['clock', 'layout', 'ranges', 'outstanding', 'policy'],
  samplesMax: 1000,
  report: faultReport,
  plan: ({ typed, config, samples, clocks }) => {
    const ranges = rangeSizes(textOption(typed, 'ranges', DEFAULT_RANGES));
    const outstanding = ascendingCounts(
      '--outstanding',
      textOption(typed, 'outstanding', DEFAULT_OUTSTANDING),
      LIMITS.contextsMax,
    );
    const variants = faultPages.flatMap((pages) =>
      ranges.flatMap((rangeBytes) => outstanding.map((count) => ({ pages, rangeBytes, outstanding: count }))),
    );
    const kernelProgram = join(configDir(), KERNEL_PROGRAM);
    const largest = { ...config, deviceCount: 1 };
    return { options: { variants, samples, clocks, kernelProgram }, largest, keys: variants.map(faultKey) };
  },
  measure: (simulator, config, options) => simulator.bench.fault(config, options),
  progress: (cell) => {
    const rate =
      cell.wall === null
        ? ''
        : `, ${formatCount((cell.wall.faults / median(cell.wall.times)) * 1e9)} faults/s (wall)`;
    return `${faultKey(cell)} ${cell.status}${rate}`;
  },
};
