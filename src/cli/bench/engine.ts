/** `svmsim bench engine`: what a step, a message and a lock cost, under either executor. */

import { median } from '../../base/statistics.js';
import { engineKey, engineReport } from '../../report/bench/engine.js';
import { formatCount } from '../../report/units.js';
import { type EngineCell, type EngineOptions, engineParts } from '../../simulation/bench/engine.js';
import { executors } from '../../simulation/simulationConfig.js';
import type { Benchmark } from './benchmark.js';

export const engineBenchmark: Benchmark<EngineOptions, EngineCell> = {
  name: 'engine',
  what: 'steps, lock hand-offs and messages per second of this machine, under both executors',
  scenario: 'bench-mirror',
  takes: [],
  samplesMax: 1000,
  report: engineReport,
  plan: ({ typed, config, samples }) => {
    const chosen = typed.executor === undefined ? executors : [config.executor];
    const keys = chosen.flatMap((executor) => engineParts.map((part) => engineKey({ executor, part })));
    return { options: { executors: chosen, samples }, largest: { ...config, deviceCount: 1 }, keys };
  },
  measure: (simulator, config, options) => simulator.bench.engine(config, options),
  progress: (cell) =>
    cell.times.length === 0
      ? `${engineKey(cell)} ${cell.status}`
      : `${engineKey(cell)} ${formatCount((cell.count / median(cell.times)) * 1e9)}/s (wall)`,
};
