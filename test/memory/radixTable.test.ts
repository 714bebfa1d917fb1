/** Page tables against a Map from page number to word. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { RadixTable, TABLE_VPN_END, TableArena } from '../../src/memory/radixTable.js';

/** Page numbers that fall into few tables, at both ends and in the middle of the 36-bit space. */
const page = fc
  .tuple(
    fc.constantFrom(0, 2 ** 18 - 512, 2 ** 27, 2 ** 31 - 512, 2 ** 32, 2 ** 35 - 1024, 2 ** 36 - 1024),
    fc.nat(1023),
  )
  .map(([base, offset]) => base + offset);

describe('RadixTable', () => {
  it('holds what a Map holds, for its owner and for a walker', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(page, fc.nat(0xffffffff)), { maxLength: 60 }),
        fc.array(page),
        (writes, probes) => {
          const table = new RadixTable(TableArena.allocate(64));
          const naive = new Map<number, number>();
          for (const [vpn, value] of writes) {
            table.write(table.ensure(vpn), value);
            naive.set(vpn, value);
          }
          for (const vpn of [...probes, ...naive.keys()]) {
            expect(table.get(vpn)).toBe(naive.get(vpn) ?? 0);
            expect(RadixTable.walk(table.arena.words, table.root, vpn)).toBe(table.slot(vpn));
          }
        },
      ),
      { numRuns: 200, seed: 20250101 },
    );
  });

  it('steps from populated block to populated block', () => {
    const window = fc.tuple(page, page).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    fc.assert(
      fc.property(fc.array(page, { maxLength: 12 }), window, (pages, [start, end]) => {
        const table = new RadixTable(TableArena.allocate(64));
        for (const vpn of pages) table.ensure(vpn);
        const candidates = pages.map((vpn) => vpn - (vpn % 512)).filter((block) => block + 512 > start);
        const expected = Math.min(end, ...candidates.map((block) => Math.max(block, start)));
        expect(table.nextPopulated(start, end)).toBe(expected);
      }),
      { numRuns: 300, seed: 20250101 },
    );
  });

  it('steps from used slot to used slot of a leaf', () => {
    const offset = fc.nat(511);
    fc.assert(
      fc.property(fc.array(offset, { maxLength: 20 }), offset, fc.nat(512), (used, a, b) => {
        const table = new RadixTable(TableArena.allocate(8));
        const slot = table.ensure(0);
        for (const at of used) table.write(slot + at, 1 + at);
        const [from, end] = [Math.min(a, b), Math.max(a, b)];
        const expected = Math.min(end, ...used.filter((at) => at >= from));
        expect(table.nextUsedSlot(slot + from, slot + end)).toBe(slot + expected);
      }),
      { numRuns: 300, seed: 20250101 },
    );
  });

  it('releases exactly the empty tables that lie wholly inside', () => {
    const blocks = fc.array(fc.nat(5), { maxLength: 6 });
    fc.assert(
      fc.property(blocks, blocks, fc.nat(3000), fc.nat(3000), (empty, full, start, pages) => {
        const table = new RadixTable(TableArena.allocate(64));
        for (const block of [...empty, ...full]) table.ensure(block * 512 + 7);
        for (const block of full) table.write(table.slot(block * 512 + 7), 1);
        table.release(start, start + pages, () => {});
        for (const block of new Set([...empty, ...full])) {
          const inside = block * 512 >= start && block * 512 + 512 <= start + pages;
          expect(table.slot(block * 512) < 0).toBe(inside && !full.includes(block));
        }
      }),
      { numRuns: 200, seed: 20250101 },
    );
  });

  it('gives back upper tables too, once they are empty and inside', () => {
    const arena = TableArena.allocate(64);
    const table = new RadixTable(arena);
    const before = arena.freeTables;
    const vpn = 2 ** 33 + 12345;
    table.write(table.ensure(vpn), 5);
    table.ensure(3);
    expect(arena.freeTables).toBe(before - 6);
    table.release(0, TABLE_VPN_END, () => {});
    expect(arena.freeTables).toBe(before - 3);
    expect(table.get(vpn)).toBe(5);
    table.write(table.slot(vpn), 0);
    table.release(0, TABLE_VPN_END, () => {});
    expect(arena.freeTables).toBe(before);
    expect(table.slot(vpn)).toBe(-1);
  });

  it('gives consecutive slots to the pages of one block', () => {
    const table = new RadixTable(TableArena.allocate(8));
    const first = table.ensure(2 ** 34);
    expect(table.slot(2 ** 34 + 511)).toBe(first + 511);
    expect(table.slot(2 ** 34 + 512)).toBe(-1);
  });

  it('takes all the tables that a page needs, or none', () => {
    const arena = TableArena.allocate(1 + 3 + 2);
    const table = new RadixTable(arena);
    expect(table.ensure(0)).toBeGreaterThan(0);
    expect(table.ensure(2 ** 30)).toBe(-1);
    expect(arena.freeTables).toBe(2);
    expect(table.ensure(512)).toBeGreaterThan(0);
    expect(table.ensure(1024)).toBeGreaterThan(0);
    expect(table.ensure(1536)).toBe(-1);
    expect(arena.allocTable()).toBe(Errno.ENOMEM);
    expect(() => new RadixTable(arena)).toThrow(/page-table arena is full/);
  });

  it('leaves a destroyed table to its successor all zero', () => {
    const arena = TableArena.allocate(4);
    const table = new RadixTable(arena);
    for (let vpn = 0; vpn < 512; vpn++) table.write(table.ensure(vpn), vpn + 1);
    table.destroy();
    expect(arena.freeTables).toBe(4);
    expect(arena.words.every((word) => word === 0)).toBe(true);
    expect(() => table.get(0)).toThrow(AssertionFailure);
    expect(() => table.destroy()).toThrow(AssertionFailure);
  });

  it('exchanges a word and returns the old one', () => {
    const table = new RadixTable(TableArena.allocate(4));
    const slot = table.ensure(9);
    table.write(slot, 0xffffffff);
    expect(table.exchange(slot, 0)).toBe(0xffffffff);
    expect(table.read(slot)).toBe(0);
  });

  it('writes and reads words in a row', () => {
    const table = new RadixTable(TableArena.allocate(8));
    const slot = table.ensure(512);
    table.writeRun(slot + 3, 4, 0x1005, 0x400);
    expect([2, 3, 4, 5, 6, 7].map((i) => table.get(512 + i))).toEqual([0, 0x1005, 0x1405, 0x1805, 0x1c05, 0]);
    expect(table.readUnion(slot + 3, 2)).toBe(0x1405);
    expect(table.runLength(slot + 3, 100, 0x400)).toBe(4);
    expect(table.runLength(slot + 3, 2, 0x400)).toBe(2);
    expect(table.runLength(slot + 4, 100, 0x100)).toBe(1);
  });

  it('refuses page numbers outside the space', () => {
    const table = new RadixTable(TableArena.allocate(4));
    for (const vpn of [-1, TABLE_VPN_END]) expect(() => table.slot(vpn)).toThrow(AssertionFailure);
  });
});
