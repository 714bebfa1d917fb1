/** The index beside a large interval tree: what it knows, and that it forgets. */

import { describe, expect, it } from 'vitest';
import { type Indexed, IntervalIndex } from '../../src/base/intervalIndex.js';

const far = 2 ** 40;

function intervals(count: number, pages: number, from = 0): Indexed<number>[] {
  return Array.from({ length: count }, (_, i) => ({
    start: from + i * pages,
    end: from + (i + 1) * pages,
    value: i,
  }));
}

function indexOf(all: readonly Indexed<number>[]): IntervalIndex<number> {
  const index = IntervalIndex.of(all.length, all);
  if (index === null) throw new Error('they overlap');
  return index;
}

describe('IntervalIndex', () => {
  it('knows each page of intervals of one size side by side, wherever they lie', () => {
    const all = intervals(100, 512, far);
    const index = indexOf(all);
    for (const { start, end, value } of all) {
      expect(index.find(start)).toBe(value);
      expect(index.find(end - 1)).toBe(value);
    }
    expect(index.find(far - 1)).toBeNull();
    expect(index.find(far + 100 * 512)).toBeNull();
    expect(index.find(0)).toBeNull();
  });

  it('takes no other interval for the one asked for where cells share a place', () => {
    const index = indexOf(intervals(4, 1));
    for (let page = 4; page < 64; page++) expect(index.find(page)).toBeNull();
    index.add(8, 9, 100);
    expect(index.find(8)).toBe(100);
    // Its place was that of page 0.
    expect(index.find(0)).toBeNull();
  });

  it('refuses intervals that overlap', () => {
    expect(
      IntervalIndex.of(2, [
        { start: 0, end: 4, value: 0 },
        { start: 3, end: 5, value: 1 },
      ]),
    ).toBeNull();
  });

  it('forgets all pages of an interval that goes, those noted later as well', () => {
    const index = indexOf(intervals(8, 4));
    index.add(1000, 1000 + 400, 7);
    index.note(1399, 1000, 1400, 7);
    expect(index.find(1399)).toBe(7);
    index.remove(1000, 1400);
    for (let page = 1000; page < 1400; page++) expect(index.find(page)).toBeNull();
  });

  it('forgets the last page of an interval that goes, in whatever cell that lies', () => {
    for (let pages = 1; pages < 40; pages++) {
      const index = indexOf(intervals(8, 4));
      index.add(1000, 1000 + pages, 7);
      index.note(1000 + pages - 1, 1000, 1000 + pages, 7);
      index.remove(1000, 1000 + pages);
      expect(index.find(1000 + pages - 1)).toBeNull();
    }
  });

  it('leaves an interval over very many cells to the tree, so that nothing must be forgotten', () => {
    const index = indexOf(intervals(8, 1));
    index.add(far, 2 * far, 7);
    index.note(far + 5, far, 2 * far, 7);
    expect(index.find(far + 5)).toBeNull();
    index.remove(far, 2 * far);
  });

  it('fits the number of intervals that it was made for, and up to twice as many', () => {
    const index = indexOf(intervals(64, 1));
    expect(index.fits(64)).toBe(true);
    expect(index.fits(128)).toBe(true);
    expect(index.fits(129)).toBe(false);
    expect(index.fits(7)).toBe(false);
  });

  it('has cells as small as most intervals are, however far apart two groups of them lie', () => {
    const all = [...intervals(32, 16), ...intervals(32, 16, far)];
    const index = indexOf(all);
    const known = all.filter(({ start, value }) => index.find(start) === value);
    expect(known.length).toBeGreaterThanOrEqual(32);
  });
});
