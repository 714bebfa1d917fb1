/** Latencies of a benchmark, with the slowest one of a thousand where there were enough of them. */

import type { Histogram } from '../../observe/histogram.js';
import type { Latency } from '../../observe/latency.js';

export interface TailLatency extends Latency {
  /** Null for fewer than a thousand: it would be the maximum by another name. */
  readonly p999Ns: number | null;
}

const P999_COUNT_MIN = 1000;

export function tailLatencyOf(histogram: Histogram): TailLatency {
  const p999Ns = histogram.count < P999_COUNT_MIN ? null : histogram.percentile(0.999);
  return { ...histogram.latency(), p999Ns };
}
