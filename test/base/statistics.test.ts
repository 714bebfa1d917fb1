/** Medians, spreads and trends against what one would compute by hand. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, relativeSpread, summaryOf, trendOf } from '../../src/base/statistics.js';

const samples = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 20 });

describe('median and quantile', () => {
  it.each([
    [[5], 5],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('has as many samples below as above', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(below).toBeLessThanOrEqual(values.length / 2);
        expect(above).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  it('goes from the least to the most, and never falls between', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, fraction) => {
        const value = quantile(values, fraction);
        expect(value).toBeGreaterThanOrEqual(quantile(values, 0));
        expect(value).toBeLessThanOrEqual(quantile(values, 1));
        expect(quantile(values, fraction / 2)).toBeLessThanOrEqual(value);
      }),
    );
    expect(quantile([10, 20], 0.25)).toBe(12.5);
  });
});

describe('summaryOf', () => {
  it('is not moved by one outlier', () => {
    const summary = summaryOf([10, 11, 12, 11, 10, 5000]);
    expect(summary).toMatchObject({ count: 6, median: 11, min: 10, max: 5000 });
    expect(relativeSpread(summary)).toBeLessThan(0.14);
  });

  it('has no spread where all are equal', () => {
    expect(relativeSpread(summaryOf([7, 7, 7]))).toBe(0);
  });
});

describe('trendOf', () => {
  it.each([
    [[1, 2, 3, 4], 1],
    [[4, 3, 2, 1], -1],
    [[2, 2, 2], 0],
    [[9], 0],
  ])('of %j is %d', (values, expected) => {
    expect(trendOf(values)).toBe(expected);
  });

  it('turns round with the samples', () => {
    fc.assert(
      fc.property(samples, (values) => {
        expect(trendOf([...values].reverse())).toBeCloseTo(-trendOf(values), 10);
      }),
    );
  });
});
