/** `svmsim bench access`: loads per second of each device. */

import { median } from '../../base/statistics.js';
import { accessKey, accessReport } from '../../report/bench/access.js';
import { formatCount } from '../../report/units.js';
import { type AccessCell, type AccessOptions, accessKinds } from '../../simulation/bench/access.js';
import { LIMITS } from '../../simulation/simulationConfig.js';
import { ascendingCounts } from '../optionValues.js';
import type { Benchmark } from './benchmark.js';

const DEFAULT_DEVICES = '1,2';

export const accessBenchmark: Benchmark<AccessOptions, AccessCell> = {
  name: 'access',
  what: 'loads per second of a device, with the translation in the TLB, in the page table, or nowhere',
  scenario: 'bench-mirror',
  takes: ['clock', 'devices', 'layout', 'policy'],
  sweepsDevices: true,
  samplesMax: 1000,
  report: accessReport,
  plan: ({ typed, config, samples, clocks }) => {
    const counts = ascendingCounts('--devices', String(typed.devices ?? DEFAULT_DEVICES), LIMITS.devicesMax);
    const variants = counts.flatMap((devices) => accessKinds.map((kind) => ({ kind, devices })));
    const largest = { ...config, deviceCount: counts[counts.length - 1] };
    return { options: { variants, samples, clocks }, largest, keys: variants.map(accessKey) };
  },
  measure: (simulator, config, options) => simulator.bench.access(config, options),
  progress: (cell) => {
    const { wall } = cell;
    const rate =
      wall === null ? '' : `, ${formatCount((wall.loads / median(wall.times)) * 1e9)} loads/s (wall)`;
    return `${accessKey(cell)} ${cell.status}${rate}`;
  },
};
