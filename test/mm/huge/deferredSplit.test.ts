/** Partly unmapped huge pages wait to be split until memory is short; what nobody maps of them is free then. */

import { beforeEach, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  TestCpu,
} from '../harness.js';
import { HUGE_AREA, mapHugeArea, mapHugePage } from './hugeHarness.js';

/** Small pages beside the huge one. */
const SMALL = HUGE_AREA + 4 * PMD_PAGES;

let machine: Machine;
let mm: Mm;

/** Room for one huge page and little more. */
beforeEach(() => {
  machine = makeMachine({ ramPages: 2 * PMD_PAGES, pagesPerStep: 512 });
  mm = makeMm(machine.kernel);
  mapHugeArea(machine, mm);
  mapHugePage(machine, mm, HUGE_AREA);
});

function go<T>(steps: Steps<T>): T {
  return run(machine.kernel, steps);
}

function unmap(start: number, npages: number): void {
  expect(go(machine.calls.memoryMap.munmap(mm, vpn(start), npages))).toBe(Errno.OK);
}

function store(page: number): Errno {
  return go(new TestCpu(machine, mm).store(page, 5));
}

/** Fills RAM with small pages; returns how many were had. */
function fill(): number {
  mapFixed(machine, mm, SMALL, 2 * PMD_PAGES);
  let filled = 0;
  while (store(SMALL + filled) === Errno.OK) filled++;
  return filled;
}

it('a partial munmap frees nothing, until memory is short', () => {
  const { ram } = machine.kernel;
  const used = ram.usedPages;
  unmap(HUGE_AREA, 200);
  expect([ram.usedPages, machine.calls.deferredSplit.size]).toEqual([used, 1]);
  const free = ram.freePages;
  expect(fill()).toBe(free + 200);
  expect(machine.calls.deferredSplit.size).toBe(0);
  for (const i of [200, 511]) expect(go(new TestCpu(machine, mm).load(HUGE_AREA + i))).toBe(1000 + i);
  checkAccounting(machine.kernel, [mm]);
});

it('reclaim splits it too', () => {
  unmap(HUGE_AREA, 200);
  const free = machine.kernel.ram.freePages;
  expect(go(machine.calls.deferredSplit.scan())).toBe(true);
  expect(machine.kernel.ram.freePages).toBe(free + 200);
  expect(go(machine.calls.deferredSplit.scan())).toBe(false);
  checkAccounting(machine.kernel, [mm]);
});

it('what somebody holds waits on, and is split when he lets go', () => {
  const { folios } = machine.kernel;
  unmap(HUGE_AREA, 200);
  const head = folios.headOf(ptePfn(pteOf(mm, HUGE_AREA + 300)));
  folios.get(head);
  expect(go(machine.calls.deferredSplit.scan())).toBe(false);
  expect([folios.order(head), machine.calls.deferredSplit.size]).toEqual([9, 1]);
  folios.put(head);
  expect(go(machine.calls.deferredSplit.scan())).toBe(true);
  checkAccounting(machine.kernel, [mm]);
});

it('a folio that is gone meanwhile is left alone, whatever took its place', () => {
  unmap(HUGE_AREA, 200);
  unmap(HUGE_AREA + 200, 312);
  mapHugeArea(machine, mm);
  mapHugePage(machine, mm, HUGE_AREA);
  expect(go(machine.calls.deferredSplit.scan())).toBe(false);
  expect(go(new TestCpu(machine, mm).load(HUGE_AREA + 300))).toBe(1300);
  checkAccounting(machine.kernel, [mm]);
});

it('DONTNEED of a part counts as well', () => {
  const advice = machine.calls.madvise.madvise(mm, vpn(HUGE_AREA + 8), 100, Madvise.DontNeed);
  expect(go(advice)).toBe(Errno.OK);
  expect(machine.calls.deferredSplit.size).toBe(1);
});
