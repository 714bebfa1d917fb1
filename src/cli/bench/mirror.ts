/** `svmsim bench mirror`: the layouts of a mirror beside one another. */

import { mirrorKey, mirrorReport } from '../../report/bench/mirror.js';
import { formatNs } from '../../report/units.js';
import {
  type MirrorCell,
  type MirrorOptions,
  mirrorAccesses,
  mirrorLayouts,
} from '../../simulation/bench/mirror.js';
import { LIMITS } from '../../simulation/simulationConfig.js';
import { ascendingCounts, refusal } from '../optionValues.js';
import { type Benchmark, type BenchOptions, textOption } from './benchmark.js';

const DEFAULT_COUNTS = '1,2,4,8,16';
/** Of the model: the same whatever the number of samples, so that counts and simulated figures can be compared. */
const ROUNDS = 9;

export const mirrorBenchmark: Benchmark<MirrorOptions, MirrorCell> = {
  name: 'mirror',
  what: 'a mirror per device, one for all, and one HMM fault for all: faults, callbacks, metadata and times by number of devices',
  scenario: 'bench-mirror',
  takes: ['clock', 'devices', 'deviceCounts', 'policy'],
  sweepsDevices: true,
  samplesMax: 1000,
  report: mirrorReport,
  plan: ({ typed, config, samples, clocks }) => {
    const deviceCounts = countsOf(typed);
    const keys = mirrorAccesses.flatMap((access) =>
      deviceCounts.flatMap((devices) =>
        mirrorLayouts.map((layout) => mirrorKey({ layout, devices, access })),
      ),
    );
    const largest = { ...config, deviceCount: deviceCounts[deviceCounts.length - 1] };
    return { options: { deviceCounts, rounds: ROUNDS, samples, clocks }, largest, keys };
  },
  measure: (simulator, config, options) => simulator.bench.mirror(config, options),
  progress: ({ name, simulated, wall }) => {
    const first = simulated === null ? '' : `, first access ${formatNs(simulated.firstAccessNs)} simulated`;
    return `${name}${first}${wall === null ? '' : `, ${formatNs(wall.firstAccessNs)} wall`}`;
  },
};

/** Two names of the same. @throws UserError for both at once */
function countsOf(typed: BenchOptions): number[] {
  if (typed.deviceCounts !== undefined && typed.devices !== undefined)
    throw refusal(`--devices ${typed.devices}`, 'together with --device-counts', 'one of the two');
  const option =
    typed.deviceCounts === undefined && typed.devices !== undefined ? '--devices' : '--device-counts';
  const text =
    option === '--devices' ? String(typed.devices) : textOption(typed, 'deviceCounts', DEFAULT_COUNTS);
  return ascendingCounts(option, text, LIMITS.devicesMax);
}
