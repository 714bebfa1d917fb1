/** The rank test against counting all ways to deal the samples. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mannWhitneyP } from '../../src/base/mannWhitney.js';

/** Deals all samples in every way into two sets of these sizes, and counts those that differ at least as much. */
function naiveP(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b];
  const mean = (a.length * b.length) / 2;
  const statistic = (first: readonly number[], second: readonly number[]): number =>
    first.reduce((sum, one) => sum + second.filter((other) => one > other).length, 0);
  const far = Math.abs(statistic(a, b) - mean);
  let ways = 0;
  let extreme = 0;
  for (let mask = 0; mask < 2 ** all.length; mask++) {
    const first = all.filter((_, i) => (mask >> i) & 1);
    if (first.length !== a.length) continue;
    ways++;
    const second = all.filter((_, i) => !((mask >> i) & 1));
    if (Math.abs(statistic(first, second) - mean) >= far) extreme++;
  }
  return extreme / ways;
}

const distinct = fc
  .uniqueArray(fc.integer({ min: 0, max: 1e6 }), { minLength: 2, maxLength: 9 })
  .chain((all) => fc.tuple(fc.constant(all), fc.integer({ min: 1, max: all.length - 1 })));

describe('mannWhitneyP', () => {
  it('is what counting gives', () => {
    fc.assert(
      fc.property(distinct, ([all, cut]) => {
        const [a, b] = [all.slice(0, cut), all.slice(cut)];
        expect(mannWhitneyP(a, b)).toBeCloseTo(naiveP(a, b), 10);
      }),
    );
  });

  it('does not care which set is which', () => {
    const numbers = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        expect(mannWhitneyP(a, b)).toBeCloseTo(mannWhitneyP(b, a), 10);
      }),
    );
  });

  it('is with ties what the normal distribution gives, half a rank nearer to the mean', () => {
    // U is 5.5 where the mean is 12.5; three groups of ties, each of two samples.
    const variance = (25 / 12) * (11 - 18 / 90);
    const z = (7 - 0.5) / Math.sqrt(variance);
    const p = mannWhitneyP([1, 2, 3, 4, 5], [2, 4, 5, 8, 9]);
    // Of the standard normal distribution, by its density in steps of a thousandth.
    let above = 0;
    for (let x = z; x < 10; x += 1e-3) above += 1e-3 * Math.exp(-((x + 5e-4) ** 2) / 2);
    expect(p).toBeCloseTo((2 * above) / Math.sqrt(2 * Math.PI), 6);
  });

  it('finds no difference between equal sets, and a clear one between sets that do not overlap', () => {
    expect(mannWhitneyP([5, 5, 5], [5, 5, 5])).toBe(1);
    expect(mannWhitneyP([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 10);
    const many = Array.from({ length: 40 }, (_, i) => i);
    expect(
      mannWhitneyP(
        many,
        many.map((i) => i + 100),
      ),
    ).toBeLessThan(1e-6);
    expect(mannWhitneyP([], [1])).toBe(1);
  });
});
