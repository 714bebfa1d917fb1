/** How often each class of load came so far, and how long its operations took. */

import { type LoadClass, loadClasses } from '../workload/workloadConfig.js';
import { Meters } from './meters.js';
import type { Observation } from './observation.js';
import { type TailLatency, tailLatencyOf } from './tailLatency.js';

/** Latencies are of its operations. */
export interface LoadCounts extends Omit<TailLatency, 'count'> {
  readonly load: LoadClass;
  readonly operations: number;
}

/** Operations of a class, all CPU threads together. */
export function loadOperations(observation: Observation, load: LoadClass): number {
  return observation.metered(Meters.load, loadClasses.indexOf(load));
}

/** Of those that came at least once, in the order of {@link loadClasses}. */
export function loadCounts(observation: Observation): LoadCounts[] {
  return loadClasses.flatMap((load, key) => {
    if (loadOperations(observation, load) === 0) return [];
    const { count: operations, ...times } = tailLatencyOf(observation.histogram(Meters.load, key));
    return [{ load, operations, ...times }];
  });
}
