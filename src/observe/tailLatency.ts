/** Latencies with those percentiles that there are enough of them for. */

import { type Histogram, nearestRank } from './histogram.js';
import type { Latency } from './latency.js';

/** As in {@link Latency}; a percentile of too few is null. */
export interface TailLatency extends Omit<Latency, 'p90Ns' | 'p99Ns'> {
  readonly p90Ns: number | null;
  readonly p99Ns: number | null;
  readonly p999Ns: number | null;
}

/** Of ten latencies on there is a 90th percentile, of a hundred a 99th, of a thousand a 99.9th: that of fewer is the maximum by another name. */
export function hasPercentile(count: number, fraction: number): boolean {
  return nearestRank(count, fraction) < count;
}

export function tailLatencyOf(histogram: Histogram): TailLatency {
  const told = (fraction: number): number | null =>
    hasPercentile(histogram.count, fraction) ? histogram.percentile(fraction) : null;
  return { ...histogram.latency(), p90Ns: told(0.9), p99Ns: told(0.99), p999Ns: told(0.999) };
}
