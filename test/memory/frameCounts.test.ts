/** Counts per page: against a map, and pages that do not exist. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameCounts } from '../../src/memory/frameCounts.js';
import { pfn } from '../../src/memory/pfn.js';

const PAGES = 8;

describe('counts of pages', () => {
  it('are those of a map, in the order of the first count', () => {
    const addition = fc.record({ page: fc.nat(PAGES - 1), n: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(addition), (additions) => {
        const counts = new FrameCounts(PAGES);
        const model = new Map<number, number>();
        for (const { page, n } of additions) {
          counts.add(pfn(page), n);
          model.set(page, (model.get(page) ?? 0) + n);
        }
        expect(counts.frames).toEqual([...model.keys()]);
        for (let page = 0; page < PAGES; page++) expect(counts.of(pfn(page))).toBe(model.get(page) ?? 0);
      }),
    );
  });

  it('are of pages that exist', () => {
    expect(() => new FrameCounts(PAGES).add(pfn(PAGES))).toThrow('does not exist');
  });
});
