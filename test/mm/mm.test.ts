/** The two reference counts of an address space. */

import { describe, expect, it } from 'vitest';
import { makeKernel, makeMm } from './harness.js';

describe('the counts of an address space', () => {
  it('give no new user once the last one is gone', () => {
    const mm = makeMm(makeKernel());
    expect(mm.getNotZero()).toBe(true);
    mm.put();
    mm.users = 0;
    expect(mm.getNotZero()).toBe(false);
    expect(mm.users).toBe(0);
  });

  it('are dropped by the last user in exit only', () => {
    const mm = makeMm(makeKernel());
    expect(() => mm.put()).toThrow('outside exit');
  });

  it('free the page table with the last reference', () => {
    const kernel = makeKernel();
    const free = kernel.tables.freeTables;
    const mm = makeMm(kernel);
    mm.grab();
    mm.drop();
    expect(kernel.tables.freeTables).toBe(free - 1);
    mm.drop();
    expect(kernel.tables.freeTables).toBe(free);
    expect(() => mm.drop()).toThrow('once too often');
    expect(() => mm.grab()).toThrow('is gone');
  });
});
