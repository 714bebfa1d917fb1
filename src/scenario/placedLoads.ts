/** The loads of a scenario as the workloads that they stand for. */

import {
  invalidationCalls,
  LAUNCH_ACCESSES,
  type LoadClass,
  loadClasses,
} from '../workload/workloadConfig.js';
import type { ScenarioLoads, ScenarioWorkload } from './schema.js';
import type { KeyPath } from './yamlSource.js';

export { loadClasses } from '../workload/workloadConfig.js';

/** What a load adds to the keys of its workload. */
export interface LoadExtras {
  readonly ratePerSecond: number;
  readonly verifiesCalls: boolean;
}

export interface PlacedLoad {
  readonly path: KeyPath;
  readonly workload: ScenarioWorkload;
  readonly load: LoadExtras;
}

const MICROSECOND_NS = 1e3;
const SECOND_NS = 1e9;
const NO_END = Number.POSITIVE_INFINITY;
/** Of each replay, as the workload has it. */
const TRACE_KEYS = { 'touch-pages': 16, 'device-accesses': 8 } as const;

/** In the order of {@link loadClasses}. */
export function placedLoads(loads: ScenarioLoads | undefined): PlacedLoad[] {
  if (loads === undefined) return [];
  return loadClasses.flatMap((load) => {
    const rate = loads[load];
    if (rate === undefined) return [];
    const extras = { ratePerSecond: rate, verifiesCalls: loads.verify };
    return [{ path: ['loads', load], workload: workloadOf(load, loads, rate), load: extras }];
  });
}

function workloadOf(load: LoadClass, loads: ScenarioLoads, rate: number): ScenarioWorkload {
  if (load === 'trace') return { kind: 'trace', name: undefined, file: loads['trace-file'], ...TRACE_KEYS };
  if (load === 'join-leave') {
    // Its pauses are means, so that changes do not keep a beat with what else goes on.
    const pause = Math.round(SECOND_NS / rate / MICROSECOND_NS) * MICROSECOND_NS;
    return { kind: 'join-leave', name: undefined, pause, stay: 0, 'at-once': 1, operations: NO_END };
  }
  const calls = invalidationCalls.filter((call) => call === load);
  const { size, span } = loads;
  return {
    kind: 'invalidate',
    name: load,
    threads: 1,
    size,
    span: Math.min(span, size),
    calls,
    operations: NO_END,
    pause: 0,
    accesses: LAUNCH_ACCESSES,
  };
}
