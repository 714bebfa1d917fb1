/** How often each class of load came so far, and how long its operations took. */

import { type LoadClass, loadClasses } from '../workload/workloadConfig.js';
import { Meters } from './meters.js';
import type { Observation } from './observation.js';

/** Nanoseconds of the executor's clock; percentiles as those of {@link Latency}. */
export interface LoadCounts {
  readonly load: LoadClass;
  readonly operations: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
}

/** Operations of a class, all CPU threads together. */
export function loadOperations(observation: Observation, load: LoadClass): number {
  return observation.metered(Meters.load, loadClasses.indexOf(load));
}

/** Of those that came at least once, in the order of {@link loadClasses}. */
export function loadCounts(observation: Observation): LoadCounts[] {
  return loadClasses.flatMap((load, key) => {
    if (loadOperations(observation, load) === 0) return [];
    const histogram = observation.histogram(Meters.load, key);
    const { count: operations, meanNs, p50Ns, p90Ns, p99Ns, maxNs } = histogram.latency();
    return [{ load, operations, meanNs, p50Ns, p90Ns, p99Ns, p999Ns: histogram.percentile(0.999), maxNs }];
  });
}
