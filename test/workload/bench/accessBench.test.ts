/** The contexts of a device make as many loads as its rate is of. */

import { expect, it } from 'vitest';
import { loadShare } from '../../../src/workload/bench/accessBench.js';

it.each([
  [1024, 1],
  [1024, 3],
  [4_000_000, 7],
  [5, 8],
])('%i loads by %i contexts', (loads, count) => {
  const shares = Array.from({ length: count }, (_, index) => loadShare(loads, index, count));
  expect(shares.reduce((sum, { own }) => sum + own, 0)).toBe(loads);
  // Each begins where the one before ends, and has a load more than another at most.
  for (const [i, { first, own }] of shares.entries()) {
    expect(first).toBe(i === 0 ? 0 : shares[i - 1].first + shares[i - 1].own);
    expect(Math.abs(own - loads / count)).toBeLessThan(1);
  }
});
