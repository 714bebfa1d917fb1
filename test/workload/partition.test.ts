/** Work split over devices and contexts. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Partition, shareIndexOf, shareOf } from '../../src/workload/partition.js';

const total = fc.integer({ min: 1, max: 5000 });
const parts = fc.integer({ min: 1, max: 80 });

describe('shares', () => {
  it('follow one another without a gap, and differ by one at most', () => {
    fc.assert(
      fc.property(total, parts, (elements, count) => {
        const shares = Array.from({ length: count }, (_, i) => shareOf(elements, count, i));
        const sizes = shares.map(({ start, end }) => end - start);
        expect(shares[0]?.start).toBe(0);
        expect(shares.at(-1)?.end).toBe(elements);
        expect(shares.every(({ end }, i) => i + 1 === count || shares[i + 1]?.start === end)).toBe(true);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('are found by any of their elements', () => {
    fc.assert(
      fc.property(total, parts, (elements, count) => {
        for (let element = 0; element < elements; element++) {
          const { start, end } = shareOf(elements, count, shareIndexOf(elements, count, element));
          if (element < start || element >= end) throw new Error(`element ${element} is not in its share`);
        }
      }),
    );
  });

  it('are exact for as many elements and parts as a scenario may have', () => {
    const elements = 2 ** 31 - 1;
    const count = 65_536;
    for (const index of [0, 1, 12_345, count - 1]) {
      const { start, end } = shareOf(elements, count, index);
      expect([start, end - 1].map((element) => shareIndexOf(elements, count, element))).toEqual([
        index,
        index,
      ]);
    }
  });
});

describe('a partition over devices and contexts', () => {
  it('gives every element to exactly the context whose share it is in', () => {
    fc.assert(
      fc.property(
        total,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        (elements, devices, contexts) => {
          const partition = new Partition(elements, devices, contexts);
          let at = 0;
          while (at < elements) {
            const segment = partition.segmentAt(at, elements);
            const share = partition.share(segment.device, segment.context);
            const { shareStart, start } = segment;
            if (start !== at || start !== share.start || shareStart !== share.start)
              throw new Error(`gap at ${at}`);
            at = segment.end;
          }
          expect(at).toBe(elements);
        },
      ),
    );
  });

  it('cuts a segment off where it is told', () => {
    expect(new Partition(100, 2, 5).segmentAt(12, 15)).toEqual({
      device: 0,
      context: 1,
      shareStart: 10,
      start: 12,
      end: 15,
    });
  });

  it('refuses an element that is not there', () => {
    expect(() => new Partition(10, 2, 2).segmentAt(10, 11)).toThrow('element 10 of 10');
  });
});
