/** The entries of all page tables in columns: each with its area, and those outside all areas too. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { NO_PFN } from '../../src/memory/pfn.js';
import { Prot } from '../../src/mm/area/mmap.js';
import { CpuEntries } from '../../src/mm/cpuEntries.js';
import type { Mm } from '../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, pteKind } from '../../src/mm/table/pte.js';
import { makeMachine, makeMm, mapFixed, run, TestCpu } from './harness.js';

describe('entries of page tables', () => {
  it('are told by address space and address, with their area', () => {
    const machine = makeMachine();
    const { kernel } = machine;
    const [first, second] = [makeMm(kernel), makeMm(kernel)];
    mapFixed(machine, first, 1024, 2, Prot.Read | Prot.Write);
    mapFixed(machine, first, 1030, 2, Prot.Read | Prot.Write);
    mapFixed(machine, second, 1024, 1, Prot.Read | Prot.Write);
    const [cpu, other] = [new TestCpu(machine, first), new TestCpu(machine, second)];
    for (const page of [1031, 1024, 1025]) run(kernel, cpu.store(page, page));
    run(kernel, other.store(1024, 7));
    first.pageTable.write(first.pageTable.slot(1027), makePte(PteKind.Marker, NO_PFN, PteBit.UffdWp));
    const told: [Mm, number, number | null][] = [];
    const entries = new CpuEntries(kernel.mms);
    entries.forEach((mm, page, pte, vma) => {
      told.push([mm, page, vma?.start ?? null]);
      expect(pteKind(pte)).not.toBe(PteKind.None);
    });
    expect(told).toEqual([
      [first, 1024, 1024],
      [first, 1025, 1024],
      [first, 1027, null],
      [first, 1031, 1030],
      [second, 1024, 1024],
    ]);
    expect(entries.size).toBe(told.length);
    expect(first.vmas.find(vpn(1027))).toBeNull();
  });
});
