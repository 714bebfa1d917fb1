/** How often workloads are to put a load on the machine. */

import type { LoadClass, WorkloadConfig } from './workloadConfig.js';

const US_PER_SECOND = 1e6;

/** Of one class of load, from all workloads that do it. */
export interface WantedRate {
  readonly perSecond: number;
  /** Others do it too, freely or among other things: it is to come as often as that or more. */
  readonly isLeast: boolean;
}

/** Operations per second of those that have a rate for it alone; null where none has. */
export function wantedRateOf(workloads: readonly WorkloadConfig[], load: LoadClass): WantedRate | null {
  const rates = workloads.flatMap((workload) => (doesLoad(workload, load) ? [rateOf(workload)] : []));
  const bounded = rates.filter(Number.isFinite);
  if (bounded.length === 0) return null;
  const perSecond = bounded.reduce((sum, rate) => sum + rate, 0);
  return { perSecond, isLeast: bounded.length < rates.length };
}

function doesLoad(workload: WorkloadConfig, load: LoadClass): boolean {
  return workload.kind === 'invalidate'
    ? workload.calls.some((call) => call === load)
    : workload.kind === load;
}

/** Infinity where it is not said of one class alone. */
function rateOf(workload: WorkloadConfig): number {
  switch (workload.kind) {
    case 'invalidate':
      return workload.calls.length === 1
        ? (workload.ratePerSecond ?? Number.POSITIVE_INFINITY)
        : Number.POSITIVE_INFINITY;
    case 'trace':
      return workload.ratePerSecond ?? Number.POSITIVE_INFINITY;
    case 'join-leave':
      return (US_PER_SECOND * workload.atOnce) / workload.pauseUs;
    default:
      return Number.POSITIVE_INFINITY;
  }
}
