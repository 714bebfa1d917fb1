/** The reverse map of a large folio that lies across two PMDs: what another folio's leaf in the first does to its entries in the second. */

import { beforeEach, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { isLeafAt } from '../../../src/mm/huge/hugeLeaf.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { PteKind, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, type Machine, makeMachine, makeMm, pteOf, run, TestCpu } from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';

const HALF = PMD_PAGES / 2;
/** The PMD that the folio's lower half is moved into; the upper half lies in the next. */
const FIRST = HUGE_AREA + 17 * PMD_PAGES;
const SECOND = FIRST + PMD_PAGES;

let machine: Machine;
let mm: Mm;
let head: Pfn;

/** A folio in the middle of an area that moves by half a PMD; its lower half is given up, so that the first PMD is empty. */
beforeEach(() => {
  machine = makeMachine({ ramPages: HUGE_RAM, pagesPerStep: 512 });
  mm = makeMm(machine.kernel);
  mapHugeArea(machine, mm, 3);
  head = mapHugePage(machine, mm, HUGE_AREA + PMD_PAGES);
  const target = vpn(FIRST - HALF);
  const pages = { from: vpn(HUGE_AREA), fromPages: 3 * PMD_PAGES, toPages: 3 * PMD_PAGES };
  const flags = MremapFlag.MayMove | MremapFlag.Fixed;
  expect(go(machine.calls.mremap.mremap(mm, { ...pages, flags, target }))).toBe(target);
  expect(go(machine.calls.madvise.madvise(mm, vpn(FIRST), PMD_PAGES, Madvise.DontNeed))).toBe(Errno.OK);
  expect([FIRST, SECOND].map((page) => isLeafAt(mm.pageTable, page))).toEqual([false, false]);
});

function go<T>(steps: Steps<T>): T {
  return run(machine.kernel, steps);
}

function expectStillMapped(): void {
  for (const i of [0, HALF - 1]) {
    expect(go(new TestCpu(machine, mm).load(SECOND + i))).toBe(1000 + HALF + i);
    expect(ptePfn(pteOf(mm, SECOND + i))).toBe(head + HALF + i);
  }
  checkAccounting(machine.kernel, [mm]);
}

it('a leaf in the first hides the entries in the second, so that the folio is not split', () => {
  mapHugePage(machine, mm, FIRST);
  expect(go(machine.calls.deferredSplit.scan())).toBe(false);
  expect([machine.kernel.folios.order(head), machine.calls.deferredSplit.size]).toEqual([9, 1]);
  expectStillMapped();
});

it('a leaf that comes while the folio is unmapped does not keep the others from being mapped again', () => {
  const { folios, folioLocks } = machine.kernel;
  const rmap = new Rmap(machine.kernel);
  folios.get(head);
  go(
    (function* (): Steps<void> {
      folioLocks.lockNew(head);
      yield* rmap.tryToMigrate(head);
      expect(pteKind(pteOf(mm, SECOND))).toBe(PteKind.Migration);
      mapHugePage(machine, mm, FIRST);
      rmap.removeMigrationPtes(head, head);
      folioLocks.unlock(head);
    })(),
  );
  folios.put(head);
  expectStillMapped();
});
