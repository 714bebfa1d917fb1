/** What a mean over a trace is taken of. */

import { describe, expect, it } from 'vitest';
import { usualOnes } from '../../../src/simulation/bench/usualOnes.js';

const usual = (times: readonly number[]): number[] =>
  usualOnes(times.map((wholeNs) => ({ wholeNs }))).map(({ wholeNs }) => wholeNs);

describe('usualOnes', () => {
  it('leaves out the first half, and of the rest the fastest and the slowest quarter', () => {
    expect(usual([900, 900, 900, 900, 900, 900, 900, 900, 8, 5, 1, 4, 7, 3, 2, 6000])).toEqual([3, 4, 5, 7]);
  });

  it('keeps what there is where there is little', () => {
    expect(usual([])).toEqual([]);
    expect(usual([5])).toEqual([5]);
    expect(usual([9, 9, 9, 3, 2, 1])).toEqual([1, 2, 3]);
  });
});
