/** The loads of a scenario as the workloads that they stand for. */

import { join } from 'node:path';
import {
  invalidationCalls,
  LAUNCH_ACCESSES,
  type LoadClass,
  loadClasses,
} from '../workload/workloadConfig.js';
import { configDir } from './presets.js';
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
  /** The key that names the file which the workload reads, if it reads one. */
  readonly fileKey: KeyPath;
}

const MICROSECOND_NS = 1e3;
const SECOND_NS = 1e9;
const NO_END = Number.POSITIVE_INFINITY;
const SHIPPED_TRACE = 'traces/sort-parallel.strace';
/** Of each replay, as the workload has it. */
const TRACE_KEYS = { 'touch-pages': 16, 'device-accesses': 8 } as const;

/** The path of the recorded program that comes with svmsim. */
export function shippedTrace(): string {
  return join(configDir(), SHIPPED_TRACE);
}

/** In the order of {@link loadClasses}. */
export function placedLoads(loads: ScenarioLoads | undefined): PlacedLoad[] {
  if (loads === undefined) return [];
  return loadClasses.flatMap((load) => {
    const rate = loads[load];
    if (rate === undefined) return [];
    const extras = { ratePerSecond: rate, verifiesCalls: loads.verify };
    const workload = workloadOf(load, loads, rate);
    return [{ path: ['loads', load], workload, load: extras, fileKey: ['loads', 'trace-file'] }];
  });
}

function workloadOf(load: LoadClass, loads: ScenarioLoads, rate: number): ScenarioWorkload {
  if (load === 'trace') {
    const file = loads['trace-file'] ?? shippedTrace();
    return { kind: 'trace', name: undefined, file, ...TRACE_KEYS };
  }
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
