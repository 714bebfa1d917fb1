/** A log-linear histogram of durations in memory that it is given, so that one thread counts and another reads. */

import { assert } from '../base/assert.js';
import { type Latency, NO_LATENCY } from './latency.js';

const SUB_BITS = 5;
/** Buckets per octave: a bucket is at most 1/32 as wide as its values are large. */
const SUB_BUCKETS = 1 << SUB_BITS;
/** Values from this power of two on, over half an hour in nanoseconds, share the last bucket. */
const MAX_BITS = 41;
/** Values up to 2^31 are split by int32 operators, larger ones after this many bits are cut off. */
const HIGH_SHIFT = 26;
const INT32_END = 2 ** 31;
const HIGH_UNIT = 2 ** HIGH_SHIFT;

export const HISTOGRAM_BUCKETS = (MAX_BITS - SUB_BITS + 1) * SUB_BUCKETS;
/** Doubles beside the buckets: count, sum and largest value. */
export const HISTOGRAM_TOTALS = 3;

const COUNT = 0;
const SUM = 1;
const MAX = 2;

/** Index of the bucket of a non-negative integer below 2^31. */
function bucketOfInt(value: number): number {
  if (value < SUB_BUCKETS) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  // The leading bit of `value >>> shift` is 32, which is why the octave counts from `shift`, not `shift + 1`.
  return shift * SUB_BUCKETS + (value >>> shift);
}

function bucketOf(value: number): number {
  if (value < INT32_END) return bucketOfInt(value < 0 ? 0 : value | 0);
  const bucket = bucketOfInt(Math.min(value / HIGH_UNIT, INT32_END - 1) | 0) + HIGH_SHIFT * SUB_BUCKETS;
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/** Which of `count` values in ascending order, from 1 on, at least `fraction` of them do not exceed. */
export function nearestRank(count: number, fraction: number): number {
  return Math.ceil(fraction * count);
}

/** The largest integer that falls into a bucket. */
function bucketTop(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  const lead = SUB_BUCKETS + (bucket % SUB_BUCKETS);
  return (lead + 1) * 2 ** shift - 1;
}

/** Values are nanoseconds; fractions are cut off. One writer; others may read at any time. */
export class Histogram {
  constructor(
    /** `HISTOGRAM_BUCKETS` of them. */
    readonly buckets: Uint32Array,
    /** `HISTOGRAM_TOTALS` of them. */
    readonly totals: Float64Array,
  ) {
    assert(buckets.length === HISTOGRAM_BUCKETS, 'histogram with a wrong number of buckets');
    assert(totals.length === HISTOGRAM_TOTALS, 'histogram with a wrong number of totals');
  }

  /** Empty, in memory of its own. */
  static create(): Histogram {
    return new Histogram(new Uint32Array(HISTOGRAM_BUCKETS), new Float64Array(HISTOGRAM_TOTALS));
  }

  get count(): number {
    return this.totals[COUNT];
  }

  record(ns: number): void {
    this.buckets[bucketOf(ns)]++;
    this.totals[COUNT]++;
    this.totals[SUM] += ns;
    if (ns > this.totals[MAX]) this.totals[MAX] = ns;
  }

  /** As if nothing had been recorded. */
  clear(): void {
    this.buckets.fill(0);
    this.totals.fill(0);
  }

  /** Adds what another one counted. */
  merge(other: Histogram): void {
    if (other.count === 0) return;
    for (let i = 0; i < HISTOGRAM_BUCKETS; i++) this.buckets[i] += other.buckets[i];
    this.totals[COUNT] += other.totals[COUNT];
    this.totals[SUM] += other.totals[SUM];
    this.totals[MAX] = Math.max(this.totals[MAX], other.totals[MAX]);
  }

  /**
   * The smallest recorded value that at least `fraction` of all values do not exceed (nearest rank), or up to 1/32 more; never above the
   * largest value. 0 when nothing was recorded. `fraction` is in (0, 1].
   */
  percentile(fraction: number): number {
    assert(fraction > 0 && fraction <= 1, 'a percentile is a fraction in (0, 1]');
    const rank = nearestRank(this.totals[COUNT], fraction);
    let seen = 0;
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS && rank > 0; bucket++) {
      seen += this.buckets[bucket];
      if (seen >= rank) return this.valueOf(bucket);
    }
    return this.totals[MAX];
  }

  /** The largest value of each bucket that holds something, and how many it holds; ascending. */
  filledBuckets(): (readonly [topNs: number, count: number])[] {
    const filled: (readonly [number, number])[] = [];
    this.buckets.forEach((count, bucket) => {
      if (count > 0) filled.push([this.valueOf(bucket), count]);
    });
    return filled;
  }

  latency(): Latency {
    if (this.count === 0) return NO_LATENCY;
    return {
      count: this.count,
      meanNs: this.totals[SUM] / this.totals[COUNT],
      p50Ns: this.percentile(0.5),
      p90Ns: this.percentile(0.9),
      p99Ns: this.percentile(0.99),
      maxNs: this.totals[MAX],
    };
  }

  /** What stands for the values of a bucket: the last one has no upper end of its own. */
  private valueOf(bucket: number): number {
    const max = this.totals[MAX];
    return bucket === HISTOGRAM_BUCKETS - 1 ? max : Math.min(bucketTop(bucket), max);
  }
}
