/** A set of pages behaves like a set of pages, however it keeps them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageIntervals } from '../../../src/workload/trace/pageIntervals.js';

/** Pages near the top of the address space, which no 32-bit integer holds. */
const BASE = 2 ** 35 - 64;

/** The intervals of a plain set, found by looking at every page. */
function naiveIntervals(set: ReadonlySet<number>): readonly { start: number; end: number }[] {
  const list: { start: number; end: number }[] = [];
  for (let page = BASE; page < BASE + 64; page++) {
    const last = list.at(-1);
    if (!set.has(page)) continue;
    if (last?.end === page) last.end = page + 1;
    else list.push({ start: page, end: page + 1 });
  }
  return list;
}

describe('page intervals', () => {
  it('merge with neighbours that they touch', () => {
    const pages = new PageIntervals();
    pages.add(10, 20);
    pages.add(30, 40);
    expect(pages.toArray()).toEqual([
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ]);
    pages.add(20, 30);
    expect(pages.toArray()).toEqual([{ start: 10, end: 40 }]);
    expect(pages.size).toBe(30);
  });

  it('split where a part is taken out', () => {
    const pages = new PageIntervals();
    pages.add(10, 40);
    pages.remove(20, 30);
    expect(pages.toArray()).toEqual([
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ]);
    expect(pages.gaps(0, 50)).toEqual([
      { start: 0, end: 10 },
      { start: 20, end: 30 },
      { start: 40, end: 50 },
    ]);
  });

  it('take no notice of empty spans', () => {
    const pages = new PageIntervals();
    pages.add(10, 10);
    pages.remove(10, 10);
    expect(pages.toArray()).toEqual([]);
    expect(pages.gaps(10, 10)).toEqual([]);
  });

  it('do what a plain set does', () => {
    const span = fc
      .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 20 }))
      .map(([start, length]) => [BASE + start, BASE + Math.min(start + length, 64)] as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), span), { maxLength: 40 }), span, (changes, [from, to]) => {
        const pages = new PageIntervals();
        const naive = new Set<number>();
        for (const [adds, [start, end]] of changes) {
          if (adds) pages.add(start, end);
          else pages.remove(start, end);
          for (let page = start; page < end; page++) {
            if (adds) naive.add(page);
            else naive.delete(page);
          }
          expect(pages.size).toBe(naive.size);
        }
        expect(pages.toArray()).toEqual(naiveIntervals(naive));
        const missing = new Set<number>();
        for (let page = from; page < to; page++) if (!naive.has(page)) missing.add(page);
        expect(pages.gaps(from, to)).toEqual(naiveIntervals(missing));
      }),
    );
  });
});
