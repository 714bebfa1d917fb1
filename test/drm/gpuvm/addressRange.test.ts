/** Ranges in bytes at the edge of 64 bits. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { pagesOfRange, rangeOverflows } from '../../../src/drm/gpuvm/addressRange.js';

const TOP = 2n ** 64n;

describe('ranges of GPU addresses', () => {
  it('overflow when their end has no room in 64 bits, one past the last address included', () => {
    expect(rangeOverflows(TOP - 0x2000n, 0x1000n)).toBe(false);
    expect(rangeOverflows(TOP - 0x1000n, 0x1000n)).toBe(true);
    expect(rangeOverflows(TOP - 1n, TOP - 1n)).toBe(true);
    expect(rangeOverflows(0n, TOP - 1n)).toBe(false);
  });

  it('become pages, exactly', () => {
    expect(pagesOfRange(0x1000n, 0x3000n)).toEqual({ start: 1, end: 4 });
    expect(pagesOfRange(TOP - 0x2000n, 0x1000n)).toEqual({ start: 2 ** 52 - 2, end: 2 ** 52 - 1 });
  });

  it('are refused when empty, not of whole pages, negative, or wrapping', () => {
    for (const [addr, range] of [
      [0n, 0n],
      [1n, 0x1000n],
      [0n, 0x1001n],
      [-0x1000n, 0x1000n],
      [TOP - 0x1000n, 0x2000n],
    ]) {
      expect(pagesOfRange(addr, range)).toBe(Errno.EINVAL);
    }
  });
});
