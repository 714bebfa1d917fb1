/** Latencies of a benchmark as cells of its table. */

import type { TailLatency } from '../../simulation/bench/tailLatency.js';
import { formatNs } from '../units.js';

export const latencyTitles = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const;

/** Under {@link latencyTitles}. */
export function latencyTexts({ p50Ns, p90Ns, p99Ns, p999Ns, maxNs }: TailLatency): string[] {
  return [p50Ns, p90Ns, p99Ns, p999Ns, maxNs].map((ns) => (ns === null ? 'N/A' : formatNs(ns)));
}
