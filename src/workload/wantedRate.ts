/** How often workloads are to put a load on the machine. */

import type { LoadClass, WorkloadConfig } from './workloadConfig.js';

const US_PER_SECOND = 1e6;

/** Operations per second of all that do nothing else; null where nothing was said, or another workload does it too, freely or among other things. */
export function wantedRateOf(workloads: readonly WorkloadConfig[], load: LoadClass): number | null {
  const rates = workloads.flatMap((workload) => (doesLoad(workload, load) ? [rateOf(workload)] : []));
  const sum = rates.reduce((all, rate) => all + rate, 0);
  return rates.length === 0 || !Number.isFinite(sum) ? null : sum;
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
