/** Leaving out pieces of a list: what is left is enough, and nothing of it is too much. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { smallestSubset } from '../../../src/explore/shrink/smallestSubset.js';

it('finds exactly what is needed, in order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(60), { maxLength: 40 }),
      fc.array(fc.nat(60), { maxLength: 5 }),
      (items, wanted) => {
        const needed = items.filter((item) => wanted.includes(item));
        const holds = (subset: readonly number[]): boolean => needed.every((item) => subset.includes(item));
        expect(smallestSubset(items, holds, () => false)).toEqual(needed);
      },
    ),
  );
});

it('leaves out what only another item needed, once that is gone', () => {
  const needs = (subset: readonly number[]): boolean =>
    subset.every((item) => item === 1 || subset.includes(item - 1));
  expect(smallestSubset([1, 2, 3, 4, 5], needs, () => false)).toEqual([]);
});

it('is left with something that holds when there is no more time, and asks no more', () => {
  fc.assert(
    fc.property(fc.nat(30), (left) => {
      const items = Array.from({ length: 64 }, (_, i) => i);
      let asked = 0;
      const holds = (subset: readonly number[]): boolean => {
        asked++;
        return subset.includes(17) && subset.includes(40);
      };
      const kept = smallestSubset(items, holds, () => asked >= left);
      expect(asked).toBeLessThanOrEqual(left);
      expect(kept).toEqual(expect.arrayContaining([17, 40]));
    }),
  );
});
