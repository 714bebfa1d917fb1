/** Latencies of a benchmark as cells of its table. */

import type { TailLatency } from '../../observe/tailLatency.js';
import { formatNs } from '../units.js';

export const latencyTitles = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const;

/** Under {@link latencyTitles}. */
export function latencyTexts({ p50Ns, p90Ns, p99Ns, p999Ns, maxNs }: TailLatency): string[] {
  return [p50Ns, p90Ns, p99Ns, p999Ns, maxNs].map((ns) => (ns === null ? 'N/A' : formatNs(ns)));
}

/** As samples of a figure: what there were too few latencies for is none. */
export function toldSample(percentileNs: number | null): readonly number[] {
  return percentileNs === null ? [] : [percentileNs];
}
