/** The distribution of a latency, as reports print it. */

/** In nanoseconds of the executor's clock. Percentiles are upper bounds of histogram buckets, at most 1/32 above the exact value. */
export interface Latency {
  readonly count: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** Of nothing measured. */
export const NO_LATENCY: Latency = { count: 0, meanNs: 0, p50Ns: 0, p90Ns: 0, p99Ns: 0, maxNs: 0 };
