/** Small scenarios for tests of whole runs: every kind of workload, a second or so under worker threads. */

import { loadScenario } from '../../src/scenario/loadScenario.js';
import { configDir } from '../../src/scenario/presets.js';
import type { SimulationConfig } from '../../src/simulation/simulationConfig.js';

const defaultScenario = `${configDir()}/n1-mirror.yaml`;

/** The default scenario with less of everything. */
export function smallScenario(overrides: {
  executor: 'virtual' | 'threads';
  layout?: 'n1' | 'one-to-one';
  seed?: number;
  set?: readonly string[];
}): SimulationConfig {
  const { executor, layout = 'n1', seed = 1, set = [] } = overrides;
  return loadScenario(defaultScenario, {
    executor,
    layout,
    seed,
    devices: 2,
    set: [
      'ram=64MiB',
      'devices.vram=16MiB',
      'devices.contexts=4',
      'workloads.jacobi.rows=64',
      'workloads.jacobi.columns=64',
      'workloads.jacobi.iterations=3',
      'workloads.saxpy.elements=32768',
      'workloads.saxpy.rounds=1',
      'workloads.sort.touch-pages=4',
      'invalidation.operations=40',
      'invalidation.accesses=64',
      ...set,
    ],
  });
}
