/** The bars of a histogram of times: equal steps of the logarithm. */

import type { LatencyData } from '../html/reportData.js';

/** Bars per power of ten. */
const BARS_PER_DECADE = 8;

/** Ends of equal steps of the logarithm around all values; what took no time stands in the first. */
export function edgesOf(topsNs: readonly number[]): number[] {
  const positive = topsNs.filter((ns) => ns > 0);
  const least = positive.length === 0 ? 1 : Math.min(...positive);
  const low = Math.floor(Math.log10(Math.max(1, least)) * BARS_PER_DECADE) - 1;
  const high = Math.ceil(Math.log10(Math.max(2, ...positive)) * BARS_PER_DECADE) + 1;
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** ((low + i) / BARS_PER_DECADE));
}

/** By the step that begins at each edge. */
export function shares({ buckets, count }: LatencyData, edges: readonly number[]): number[] {
  const counts = edges.map(() => 0);
  for (const [topNs, inBucket] of buckets ?? []) {
    const at = edges.findLastIndex((edge) => edge <= Math.max(topNs, edges[0]));
    counts[at] += inBucket;
  }
  return counts.map((one) => one / Math.max(1, count));
}
