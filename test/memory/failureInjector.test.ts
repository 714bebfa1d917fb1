/** Failure injection: which allocations fail, and what is counted. */

import { describe, expect, it } from 'vitest';
import { AllocSite, FailureInjector } from '../../src/memory/failureInjector.js';
import { RadixTable, TableArena } from '../../src/memory/radixTable.js';

const { RamPage, PageTable, Area } = AllocSite;

describe('FailureInjector', () => {
  it('lets everything pass that it was not told to fail', () => {
    const injector = new FailureInjector();
    expect([RamPage, PageTable, Area].map((site) => injector.shouldFail(site))).toEqual([
      false,
      false,
      false,
    ]);
    expect([injector.asked, injector.injected, injector.lastSite]).toEqual([3, 0, null]);
  });

  it('fails the next allocation of a site once, and no other site', () => {
    const injector = new FailureInjector();
    injector.failNext(Area);
    expect([RamPage, Area, Area].map((site) => injector.shouldFail(site))).toEqual([false, true, false]);
    expect(injector.lastSite).toBe(Area);
  });

  it('fails the n-th allocation of all, whatever its site, and counts afresh', () => {
    const injector = new FailureInjector();
    injector.shouldFail(RamPage);
    injector.failNth(2);
    expect([RamPage, PageTable, PageTable].map((site) => injector.shouldFail(site))).toEqual([
      false,
      true,
      false,
    ]);
    expect([injector.asked, injector.injected]).toEqual([3, 1]);
  });

  it('stops', () => {
    const injector = new FailureInjector();
    injector.failNth(1);
    injector.failNext(RamPage, 2);
    injector.stop();
    expect(injector.shouldFail(RamPage)).toBe(false);
  });

  it('makes a page table whole or not at all: each of its three levels can fail', () => {
    for (const n of [1, 2, 3]) {
      const arena = TableArena.allocate(8);
      const table = new RadixTable(arena);
      const free = arena.freeTables;
      arena.injector = new FailureInjector();
      arena.injector.failNth(n);
      expect(table.ensure(2 ** 34)).toBe(-1);
      expect(arena.freeTables).toBe(free);
      expect(table.ensure(2 ** 34)).toBeGreaterThan(0);
    }
  });
});
