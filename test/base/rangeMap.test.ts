/** The interval map against one value per page. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { RangeMap } from '../../src/base/rangeMap.js';

const PAGES = 24;
const same = (a: number, b: number): boolean => a === b;

/** A span inside the modelled pages. */
const span = fc
  .tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.integer({ min: 1, max: PAGES }))
  .map(([start, length]) => ({ start, end: Math.min(PAGES, start + length) }));

const change = fc.record({ span, value: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }) });

function contents(map: RangeMap<number>): (number | undefined)[] {
  return Array.from({ length: PAGES }, (_, page) => map.get(page));
}

describe('RangeMap', () => {
  it('holds for each page what was last set, and merges whatever touches and is equal', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const map = new RangeMap<number>(same);
        const naive: (number | undefined)[] = Array.from({ length: PAGES }, () => undefined);
        for (const { span, value } of changes) {
          map.update(span.start, span.end, () => value);
          naive.fill(value, span.start, span.end);
          expect(contents(map)).toEqual(naive);
          let before: { end: number; value: number } | null = null;
          for (const entry of map) {
            expect(entry.start).toBeLessThan(entry.end);
            if (before !== null) expect(entry.start).toBeGreaterThanOrEqual(before.end);
            if (before?.end === entry.start) expect(entry.value).not.toBe(before.value);
            before = entry;
          }
        }
      }),
    );
  });

  it('gives a change the old value of each page', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 10 }), span, (changes, last) => {
        const map = new RangeMap<number>(same);
        for (const { span, value } of changes) map.update(span.start, span.end, () => value);
        const before = contents(map);
        map.update(last.start, last.end, (old) => (old === undefined ? 7 : old + 10));
        const expected = before.map((old, page) => {
          if (page < last.start || page >= last.end) return old;
          return old === undefined ? 7 : old + 10;
        });
        expect(contents(map)).toEqual(expected);
      }),
    );
  });

  it('lists a span piece by piece, gaps included, clipped to it', () => {
    const map = new RangeMap<number>(same);
    map.set(2, 5, 1);
    map.set(7, 20, 2);
    expect([...map.pieces(0, 9)]).toEqual([
      { start: 0, end: 2, value: undefined },
      { start: 2, end: 5, value: 1 },
      { start: 5, end: 7, value: undefined },
      { start: 7, end: 9, value: 2 },
    ]);
    expect([...map.overlapping(4, 8)].map((entry) => entry.start)).toEqual([2, 7]);
    expect(map.entryAt(10)).toEqual({ start: 7, end: 20, value: 2 });
    expect(map.covers(7, 20)).toBe(true);
    expect(map.covers(4, 8)).toBe(false);
  });

  it('finds the piece of a page as the list of pieces has it', () => {
    fc.assert(
      fc.property(fc.array(change), span, fc.nat(), (changes, { start, end }, offset) => {
        const map = new RangeMap<number>(same);
        for (const { span: where, value } of changes) map.update(where.start, where.end, () => value);
        const page = start + (offset % (end - start));
        const listed = [...map.pieces(start, end)].find((piece) => piece.end > page);
        expect(map.pieceAt(page, start, end)).toEqual(listed);
      }),
    );
  });

  it('refuses a change of no page', () => {
    expect(() => new RangeMap<number>(same).set(3, 3, 1)).toThrow(AssertionFailure);
  });
});
