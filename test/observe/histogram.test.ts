/** A histogram answers as a sorted list of its values would, within the width of a bucket. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HISTOGRAM_BUCKETS, HISTOGRAM_TOTALS, Histogram } from '../../src/observe/histogram.js';
import { NO_LATENCY } from '../../src/observe/latency.js';

/** From one nanosecond to over half an hour, small and large values alike. */
const nanoseconds = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.double({ min: 1, max: 2, noNaN: true, maxExcluded: true }))
  .map(([octave, lead]) => Math.floor(lead * 2 ** octave) - 1);

function histogramOf(values: readonly number[]): Histogram {
  const histogram = Histogram.create();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** Nearest rank. */
function exactPercentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(fraction * sorted.length) - 1];
}

describe('histogram', () => {
  it('gives percentiles that are never below the exact ones and at most 1/32 above', () => {
    const fractions = [0.001, 0.1, 0.5, 0.9, 0.99, 1];
    fc.assert(
      fc.property(fc.array(nanoseconds, { minLength: 1, maxLength: 200 }), (values) => {
        const histogram = histogramOf(values);
        for (const fraction of fractions) {
          const exact = exactPercentile(values, fraction);
          const told = histogram.percentile(fraction);
          expect(told).toBeGreaterThanOrEqual(exact);
          expect(told).toBeLessThanOrEqual(exact * (1 + 1 / 32));
          expect(told).toBeLessThanOrEqual(Math.max(...values));
        }
      }),
    );
  });

  it('knows count, mean and maximum exactly, and has the percentiles beside them', () => {
    fc.assert(
      fc.property(fc.array(nanoseconds, { minLength: 1, maxLength: 100 }), (values) => {
        const histogram = histogramOf(values);
        const { count, meanNs, p50Ns, p90Ns, p99Ns, maxNs } = histogram.latency();
        const sum = values.reduce((total, value) => total + value, 0);
        expect(count).toBe(values.length);
        expect(meanNs).toBe(sum / values.length);
        expect(maxNs).toBe(Math.max(...values));
        expect([p50Ns, p90Ns, p99Ns]).toEqual(
          [0.5, 0.9, 0.99].map((fraction) => histogram.percentile(fraction)),
        );
      }),
    );
  });

  it('merges to what one histogram of all values would be', () => {
    fc.assert(
      fc.property(fc.array(nanoseconds), fc.array(nanoseconds), (left, right) => {
        const merged = histogramOf(left);
        merged.merge(histogramOf(right));
        const whole = histogramOf([...left, ...right]);
        expect(merged.buckets).toEqual(whole.buckets);
        expect(merged.latency().p99Ns).toBe(whole.latency().p99Ns);
        expect(merged.count).toBe(whole.count);
      }),
    );
  });

  it('is exact below 32', () => {
    for (let value = 0; value < 32; value++) expect(histogramOf([value]).percentile(0.5)).toBe(value);
  });

  it('cuts fractions off, as the wall clock has them', () => {
    const histogram = histogramOf([10.75, 10.25, 11.5]);
    expect(histogram.percentile(0.5)).toBe(10);
    expect(histogram.latency().maxNs).toBe(11.5);
  });

  it('keeps values beyond its range in the last bucket', () => {
    const histogram = histogramOf([2 ** 45, 2 ** 50]);
    expect(histogram.buckets[HISTOGRAM_BUCKETS - 1]).toBe(2);
    expect(histogram.percentile(1)).toBe(2 ** 50);
  });

  it('says nothing of nothing', () => {
    expect(Histogram.create().latency()).toBe(NO_LATENCY);
    expect(Histogram.create().percentile(0.5)).toBe(0);
  });

  it('is empty once it was cleared', () => {
    const histogram = histogramOf([5, 1000]);
    histogram.clear();
    expect(histogram.latency()).toBe(NO_LATENCY);
    histogram.record(7);
    expect(histogram.filledBuckets()).toEqual([[7, 1]]);
    expect(histogram.percentile(1)).toBe(7);
  });

  it('lives in memory that it is given', () => {
    const buckets = new Uint32Array(new SharedArrayBuffer(HISTOGRAM_BUCKETS * 4));
    const totals = new Float64Array(new SharedArrayBuffer(HISTOGRAM_TOTALS * 8));
    new Histogram(buckets, totals).record(1000);
    expect(new Histogram(buckets, totals).latency().maxNs).toBe(1000);
    expect(() => new Histogram(buckets.subarray(1), totals)).toThrow('wrong number of buckets');
  });
});
