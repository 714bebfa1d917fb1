/** The list of single pages in front of the block allocator. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BuddyAllocator } from '../../src/memory/buddyAllocator.js';
import { FreePageList } from '../../src/memory/freePageList.js';
import { type Pfn, pfn } from '../../src/memory/pfn.js';

const FIRST = pfn(512);

function makeList(pages: number): { blocks: BuddyAllocator; list: FreePageList } {
  const blocks = new BuddyAllocator(FIRST, pages);
  return { blocks, list: new FreePageList(blocks, FIRST) };
}

describe('FreePageList', () => {
  it('hands pages out in the order in which they were freed', () => {
    const { list } = makeList(4);
    const pages = [list.take(), list.take(), list.take(), list.take()];
    expect(list.take()).toBe(0);
    for (const page of [pages[2], pages[0], pages[3]]) list.put(page);
    expect([list.take(), list.take(), list.take()]).toEqual([pages[2], pages[0], pages[3]]);
  });

  it('gives neighbours back as one block, so that large blocks can be had again', () => {
    const { blocks, list } = makeList(64);
    const pages = Array.from({ length: 64 }, () => list.take());
    for (const page of pages) list.put(page);
    expect(blocks.freePages).toBe(0);
    list.drain(64);
    expect(blocks.largestFreeOrder).toBe(6);
    expect(list.count).toBe(0);
  });

  it('keeps a limited number of pages', () => {
    const { blocks, list } = makeList(4096);
    const pages = Array.from({ length: 4096 }, () => list.take());
    for (const page of pages) list.put(page);
    expect(list.count).toBeLessThanOrEqual(1024);
    expect(blocks.freePages + list.count).toBe(4096);
  });

  it('refuses a page that is on the list already', () => {
    const { list } = makeList(2);
    const page = list.take();
    list.put(page);
    expect(() => list.put(page)).toThrow('double free of pfn');
  });

  it('refuses a page that has gone back to the blocks', () => {
    const { list } = makeList(2);
    const page = list.take();
    list.put(page);
    list.drain(list.count);
    expect(() => list.put(page)).toThrow('double free of pfn');
  });

  it('never hands out a page twice and never loses one', () => {
    const PAGES = 97;
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 255 }), { maxLength: 300 }), (choices) => {
        const { blocks, list } = makeList(PAGES);
        const held: Pfn[] = [];
        for (const choice of choices) {
          if (choice < 140) {
            const page = list.take();
            expect(page === 0).toBe(held.length === PAGES);
            if (page !== 0) {
              expect(held).not.toContain(page);
              held.push(page);
            }
          } else if (choice < 250 && held.length > 0) {
            list.put(held.splice(choice % held.length, 1)[0]);
          } else {
            list.drain(choice % 16);
          }
          expect(blocks.freePages + list.count).toBe(PAGES - held.length);
          for (const page of held) expect(blocks.isFree(page) || list.has(page)).toBe(false);
        }
      }),
      { numRuns: 100 },
    );
  });
});
