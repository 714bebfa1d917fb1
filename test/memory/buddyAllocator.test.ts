/** The buddy allocator against a plain set of used pages. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { BuddyAllocator } from '../../src/memory/buddyAllocator.js';
import { type Pfn, pfn } from '../../src/memory/pfn.js';

interface Block {
  page: Pfn;
  order: number;
}

/** Which blocks a naive search finds free, from a set of used pages. */
class NaivePages {
  readonly used = new Set<number>();
  constructor(
    private readonly first: number,
    private readonly pages: number,
  ) {}

  lowest(order: number): number | null {
    const size = 2 ** order;
    for (let at = Math.ceil(this.first / size) * size; at + size <= this.first + this.pages; at += size) {
      if (this.pagesOf(at, order).every((page) => !this.used.has(page))) return at;
    }
    return null;
  }

  pagesOf(at: number, order: number): number[] {
    return Array.from({ length: 2 ** order }, (_, i) => at + i);
  }
}

const zone = fc.record({ first: fc.nat(40), pages: fc.integer({ min: 1, max: 150 }) });
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('alloc' as const), order: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('split' as const), which: fc.nat(1000) }) },
);

describe('BuddyAllocator', () => {
  it('gives the lowest aligned free block, never overlaps, and is whole again at the end', () => {
    fc.assert(
      fc.property(zone, fc.array(operation, { maxLength: 100 }), ({ first, pages }, operations) => {
        const buddy = new BuddyAllocator(first, pages, 5);
        const naive = new NaivePages(first, pages);
        const whole = buddy.largestFreeOrder;
        const held: Block[] = [];
        const release = (block: Block): void => {
          buddy.free(block.page, block.order);
          for (const page of naive.pagesOf(block.page, block.order)) naive.used.delete(page);
        };
        for (const op of operations) {
          if (op.kind === 'alloc') {
            const expected = naive.lowest(op.order);
            const got = buddy.alloc(op.order);
            expect(got).toBe(expected ?? Errno.ENOMEM);
            if (got === Errno.ENOMEM) continue;
            held.push({ page: got, order: op.order });
            for (const page of naive.pagesOf(got, op.order)) naive.used.add(page);
          } else if (held.length > 0) {
            const [block] = held.splice(op.which % held.length, 1);
            if (op.kind === 'free' || block.order === 0) {
              release(block);
            } else {
              const half = block.order - 1;
              release({ page: pfn(block.page + 2 ** half), order: half });
              held.push({ page: block.page, order: half });
            }
          }
          expect(buddy.freePages).toBe(pages - naive.used.size);
        }
        for (let page = 0; page < first + pages + 5; page++) {
          const free = page >= first && page < first + pages && !naive.used.has(page);
          expect(buddy.isFree(pfn(page))).toBe(free);
        }
        for (const block of held) release(block);
        expect(buddy.freePages).toBe(pages);
        expect(buddy.usedPages).toBe(0);
        expect(buddy.largestFreeOrder).toBe(whole);
      }),
      { numRuns: 300, seed: 20250101 },
    );
  });

  it('hands out single pages of a fresh zone in ascending order, whatever its size', () => {
    const buddy = new BuddyAllocator(512, 1000);
    const got = Array.from({ length: 1000 }, () => buddy.alloc(0));
    expect(got).toEqual(Array.from({ length: 1000 }, (_, i) => 512 + i));
    expect(buddy.alloc(0)).toBe(Errno.ENOMEM);
  });

  it('asserts against double frees, also of parts and of wholes', () => {
    const buddy = new BuddyAllocator(512, 1024);
    const block = buddy.alloc(4);
    if (block === Errno.ENOMEM) throw new Error('fresh allocator is empty');
    buddy.free(block, 2);
    expect(() => buddy.free(block, 4)).toThrow(AssertionFailure);
    expect(() => buddy.free(pfn(block + 1), 0)).toThrow(AssertionFailure);
    expect(() => buddy.free(block, 2)).toThrow(AssertionFailure);
    expect(buddy.freePages).toBe(1024 - 12);
  });

  it('takes back as one block what it gave as single pages', () => {
    const buddy = new BuddyAllocator(512, 16);
    for (let i = 0; i < 16; i++) buddy.alloc(0);
    buddy.free(pfn(512), 4);
    expect(() => buddy.free(pfn(515), 0)).toThrow(/double free/);
    expect(buddy.isFree(pfn(515))).toBe(true);
    expect([buddy.alloc(0), buddy.alloc(1), buddy.alloc(0)]).toEqual([512, 514, 513]);
  });

  it('asserts that a freed block is aligned and inside', () => {
    const buddy = new BuddyAllocator(512, 100);
    for (let i = 0; i < 100; i++) buddy.alloc(0);
    expect(() => buddy.free(pfn(513), 1)).toThrow(AssertionFailure);
    expect(() => buddy.free(pfn(511), 0)).toThrow(AssertionFailure);
    expect(() => buddy.free(pfn(608), 3)).toThrow(AssertionFailure);
    expect(() => buddy.alloc(10)).toThrow(AssertionFailure);
  });

  describe('allocPages', () => {
    it('uses as few and as large blocks as there are', () => {
      const buddy = new BuddyAllocator(512, 2048);
      const out = new Uint32Array(600).fill(7);
      expect(buddy.allocPages(512 + 16 + 1, out, 3)).toBe(Errno.OK);
      expect([...out.slice(3, 515)]).toEqual(Array.from({ length: 512 }, (_, i) => 512 + i));
      expect([...out.slice(515, 531)]).toEqual(Array.from({ length: 16 }, (_, i) => 1024 + i));
      expect(out[531]).toBe(1040);
      expect([out[2], out[532]]).toEqual([7, 7]);
      expect(buddy.freePages).toBe(2048 - 529);
    });

    it('gathers fragments, and takes nothing when there are too few', () => {
      const buddy = new BuddyAllocator(512, 64);
      const pages = Array.from({ length: 64 }, () => buddy.alloc(0));
      for (const page of pages) if (page !== Errno.ENOMEM && page % 2 === 1) buddy.free(page, 0);
      const out = new Uint32Array(33);
      expect(buddy.allocPages(33, out, 0)).toBe(Errno.ENOMEM);
      expect(buddy.freePages).toBe(32);
      expect(buddy.allocPages(32, out, 0)).toBe(Errno.OK);
      expect([...out.slice(0, 32)]).toEqual(Array.from({ length: 32 }, (_, i) => 513 + 2 * i));
      expect(buddy.freePages).toBe(0);
    });
  });
});
