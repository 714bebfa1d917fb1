/** Splitting a large folio: the same bytes at the same places, one folio per page, and nothing if somebody holds it. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { type Pfn, pfn } from '../../../src/memory/pfn.js';
import { FolioSplit } from '../../../src/mm/huge/folioSplit.js';
import { isLeafAt } from '../../../src/mm/huge/hugeLeaf.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { type Machine, makeMachine, makeMm, pteOf, RecordingNotifier, run } from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from './hugeHarness.js';

let machine: Machine;
let mm: Mm;
let head: Pfn;

beforeEach(() => {
  machine = makeMachine({ ramPages: HUGE_RAM });
  mm = makeMm(machine.kernel);
  mapHugeArea(machine, mm);
  head = mapHugePage(machine, mm, HUGE_AREA);
});

function* splitLocked(): Steps<Errno> {
  const { kernel } = machine;
  kernel.folios.get(head);
  kernel.folioLocks.lockNew(head);
  const errno = yield* new FolioSplit(kernel, new Rmap(kernel)).split(head);
  kernel.folioLocks.unlock(head);
  kernel.folios.put(head);
  return errno;
}

describe('splitting a mapped folio', () => {
  it('leaves each page mapped where it was, by one reference', () => {
    const { folios } = machine.kernel;
    expect(run(machine.kernel, splitLocked())).toBe(Errno.OK);
    expect(isLeafAt(mm.pageTable, HUGE_AREA)).toBe(false);
    for (const i of [0, 1, 511]) {
      const page = pfn(head + i);
      expect([folios.order(page), folios.refcount(page), folios.mapcount(page)]).toEqual([0, 1, 1]);
      expect(folios.index(page)).toBe(folios.index(head) + i);
      expect([folios.testFlag(page, FolioFlag.AnonExclusive), folios.testFlag(page, FolioFlag.Lru)]).toEqual([
        true,
        true,
      ]);
      expect([pteKind(pteOf(mm, HUGE_AREA + i)), ptePfn(pteOf(mm, HUGE_AREA + i))]).toEqual([
        PteKind.Present,
        page,
      ]);
      expect(pteHas(pteOf(mm, HUGE_AREA + i), PteBit.Write | PteBit.Dirty)).toBe(true);
    }
  });

  it('counts the lock of each page among those of the task, until it is released', () => {
    const { kernel } = machine;
    const held: number[] = [];
    const counted = function* (): Steps<Errno> {
      const errno = yield* splitLocked();
      held.push(kernel.sched.self.folioLocks);
      kernel.folioLocks.lockNew(head);
      held.push(kernel.sched.self.folioLocks);
      kernel.folioLocks.unlock(head);
      return errno;
    };
    expect(run(kernel, counted())).toBe(Errno.OK);
    expect(held).toEqual([0, 1]);
  });

  it('tells of all its pages', () => {
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, PMD_PAGES);
    run(machine.kernel, splitLocked());
    // Of the leaf that is split, and of the folio.
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+512`, `CLEAR ${HUGE_AREA}+512`]);
  });

  it('is refused while somebody else holds the folio, which stays as it was', () => {
    machine.kernel.folios.get(head);
    expect(run(machine.kernel, splitLocked())).toBe(Errno.EAGAIN);
    expect(isLeafAt(mm.pageTable, HUGE_AREA)).toBe(true);
    expect(machine.kernel.folios.refcount(head)).toBe(2);
    machine.kernel.folios.put(head);
  });

  it('has pages of zeros read the zero page in every process, and frees them', () => {
    const { kernel, calls } = machine;
    kernel.memory.zeroPages(pfn(head + 7), 1);
    const child = run(kernel, calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    const used = kernel.ram.usedPages;
    expect(run(kernel, splitLocked())).toBe(Errno.OK);
    for (const of of [mm, child]) expect(ptePfn(pteOf(of, HUGE_AREA + 7))).toBe(kernel.zeroPage);
    expect(pteHas(pteOf(mm, HUGE_AREA + 7), PteBit.Write)).toBe(false);
    expect(used - kernel.ram.usedPages).toBe(1);
  });

  it('leaves locked memory its pages of zeros', () => {
    const { kernel, calls } = machine;
    kernel.memory.zeroPages(pfn(head + 7), 1);
    expect(run(kernel, calls.mlock.mlock(mm, vpn(HUGE_AREA), PMD_PAGES))).toBe(Errno.OK);
    expect(run(kernel, splitLocked())).toBe(Errno.OK);
    expect(ptePfn(pteOf(mm, HUGE_AREA + 7))).toBe(head + 7);
  });

  it('frees the pages that nobody maps any more', () => {
    const { kernel, calls } = machine;
    run(kernel, calls.memoryMap.munmap(mm, vpn(HUGE_AREA + 16), 496));
    const used = kernel.ram.usedPages;
    expect(kernel.folios.testFlag(head, FolioFlag.PartiallyMapped)).toBe(true);
    expect(run(kernel, splitLocked())).toBe(Errno.OK);
    expect(used - kernel.ram.usedPages).toBe(496);
  });
});
