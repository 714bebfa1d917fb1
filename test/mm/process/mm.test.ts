/** The two reference counts of an address space. */

import { describe, expect, it } from 'vitest';
import type { Steps } from '../../../src/sim/steps.js';
import { makeKernel, makeMachine, makeMm, mapFixed, run, TestCpu } from '../harness.js';

describe('the counts of an address space', () => {
  it('give no new user once the last one is gone', () => {
    const mm = makeMm(makeKernel());
    expect(mm.getNotZero()).toBe(true);
    mm.put();
    mm.users = 0;
    expect(mm.getNotZero()).toBe(false);
    expect(mm.users).toBe(0);
  });

  it('let the last user leave from anywhere: a task of its own tears the address space down', () => {
    const machine = makeMachine();
    const { kernel } = machine;
    const free = kernel.tables.freeTables;
    const mm = makeMm(kernel);
    mapFixed(machine, mm, 1024, 4);
    const cpu = new TestCpu(machine, mm);
    run(kernel, cpu.store(1024, 7));
    const leave = function* (): Steps<void> {
      mm.put();
      expect(mm.vmas.size).toBe(1);
    };
    run(kernel, leave());
    expect([mm.users, mm.count, mm.vmas.size, kernel.mms.size]).toEqual([0, 0, 0, 0]);
    expect([kernel.ram.usedPages, kernel.tables.freeTables]).toEqual([1, free]);
    expect(() => mm.put()).toThrow('has not');
  });

  it('keep the address space in the list of all as long as its page table exists', () => {
    const kernel = makeKernel();
    const mm = makeMm(kernel);
    mm.grab();
    mm.drop();
    expect([...kernel.mms]).toEqual([mm]);
    mm.drop();
    expect([...kernel.mms]).toEqual([]);
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
