/** Max-min fairness: what makes shares fair, and the known examples. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { fillFairly, type Share } from '../../../src/device/fabric/maxMinFair.js';

function rates(capacities: number[], shares: readonly Omit<Share, 'rate'>[]): number[] {
  const all = shares.map((share) => ({ ...share, rate: -1 }));
  fillFairly(capacities, all);
  return all.map(({ rate }) => rate);
}

const NO_LIMIT = Number.POSITIVE_INFINITY;
const over = (...path: number[]): Omit<Share, 'rate'> => ({ path, most: NO_LIMIT });

describe('max-min fair shares', () => {
  it('of one link are equal, and what one cannot use the others get', () => {
    expect(rates([30], [over(0)])).toEqual([30]);
    expect(rates([30], [over(0), over(0), over(0)])).toEqual([10, 10, 10]);
    expect(rates([30], [{ path: [0], most: 4 }, over(0), over(0)])).toEqual([4, 13, 13]);
  });

  it('over several links end at the narrowest place', () => {
    // The long one shares both links; on the wide link the short one takes what the narrow one leaves there.
    expect(rates([10, 30], [over(0, 1), over(0), over(1)])).toEqual([5, 5, 25]);
  });

  it('of a link with a limit for both directions are halved when both are used', () => {
    const [up, down, both] = [0, 1, 2];
    expect(rates([26, 26, 37], [over(up, both)])).toEqual([26]);
    expect(rates([26, 26, 37], [over(up, both), over(down, both)])).toEqual([18.5, 18.5]);
  });

  it('need a limit somewhere', () => {
    expect(() => rates([], [over()])).toThrow(AssertionFailure);
    expect(rates([], [{ path: [], most: 7 }])).toEqual([7]);
  });

  /** The definition: nothing is overused, and each transfer has a place that is used up where nobody has more than it, or its own most. */
  it('are exactly those that no transfer could raise without taking from one that has no more', () => {
    const machine = fc
      .array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 })
      .chain((capacities) =>
        fc.tuple(
          fc.constant(capacities),
          fc.array(
            fc.record({
              path: fc.uniqueArray(fc.nat(capacities.length - 1), { minLength: 1, maxLength: 4 }),
              most: fc.oneof(fc.constant(NO_LIMIT), fc.integer({ min: 1, max: 50 })),
            }),
            { minLength: 1, maxLength: 12 },
          ),
        ),
      );
    fc.assert(
      fc.property(machine, ([capacities, shares]) => {
        const got = rates(capacities, shares);
        const used = capacities.map((_, resource) =>
          shares.reduce((sum, { path }, i) => sum + (path.includes(resource) ? got[i] : 0), 0),
        );
        const isFull = (resource: number): boolean => used[resource] > capacities[resource] * (1 - 1e-6);
        used.forEach((sum, resource) => {
          expect(sum).toBeLessThanOrEqual(capacities[resource] * (1 + 1e-6));
        });
        shares.forEach(({ path, most }, i) => {
          expect(got[i]).toBeLessThanOrEqual(most * (1 + 1e-6));
          const hasMostAt = (resource: number): boolean =>
            shares.every((other, j) => !other.path.includes(resource) || got[j] <= got[i] * (1 + 1e-6));
          const isStopped = path.some((resource) => isFull(resource) && hasMostAt(resource));
          expect(isStopped || got[i] > most * (1 - 1e-6)).toBe(true);
        });
      }),
    );
  });
});
