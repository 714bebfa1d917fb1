/** Moves of pages whose first table is not wholly theirs: it moves as a whole where nothing else is mapped there, which mirrors and soft-dirty bits tell. */

import { beforeEach, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { FailureInjector } from '../../../src/memory/failureInjector.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteBit, PteKind, pteHas, pteKind } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  TestCpu,
} from '../harness.js';
import { HUGE_AREA } from '../huge/hugeHarness.js';

const OFFSET = 100;
const FROM = HUGE_AREA + OFFSET;
const TO = FROM + 32 * PMD_PAGES;
/** Up to the end of the first table. */
const LEFT = PMD_PAGES - OFFSET;

let machine: Machine;
let mm: Mm;

beforeEach(() => {
  machine = makeMachine({ pagesPerStep: 512 });
  mm = makeMm(machine.kernel);
});

function go<T>(steps: Steps<T>): T {
  return run(machine.kernel, steps);
}

/** Moves pages, of which the first has been written; returns what mirrors of all that is near heard, and whether that page is marked. */
function move(from: number, npages: number, to: number): { heard: string[]; isMarked: boolean } {
  go(new TestCpu(machine, mm).store(from, 5));
  go(machine.calls.pagemap.clearSoftDirty(mm));
  const mirror = new RecordingNotifier(machine.kernel, mm, HUGE_AREA - PMD_PAGES, 64 * PMD_PAGES);
  const flags = MremapFlag.MayMove | MremapFlag.Fixed;
  const args = { from: vpn(from), fromPages: npages, toPages: npages, target: vpn(to), flags };
  expect(go(machine.calls.mremap.mremap(mm, args))).toBe(to);
  const moved = pteOf(mm, to);
  expect(pteKind(moved)).toBe(PteKind.Present);
  expect(go(new TestCpu(machine, mm).load(to))).toBe(5);
  checkAccounting(machine.kernel, [mm]);
  return { heard: mirror.take(), isMarked: pteHas(moved, PteBit.SoftDirty) };
}

it.each([LEFT, LEFT + 8, LEFT + PMD_PAGES])(
  'alone in their tables, %i pages move from its beginning',
  (npages) => {
    mapFixed(machine, mm, FROM, npages);
    expect(move(FROM, npages, TO)).toEqual({
      heard: [`UNMAP ${HUGE_AREA}+${OFFSET + npages}`, `UNMAP ${FROM}+${npages}`],
      isMarked: false,
    });
  },
);

it('beside neighbours in other tables they do too', () => {
  mapFixed(machine, mm, HUGE_AREA - 8, 8);
  mapFixed(machine, mm, TO - OFFSET - 8, 8);
  mapFixed(machine, mm, FROM, LEFT);
  expect(move(FROM, LEFT, TO).isMarked).toBe(false);
});

it.each<[string, number, number, number, number[]]>([
  ['to another offset', FROM, LEFT, TO + 1, []],
  ['that end before their table', FROM, LEFT - 1, TO, []],
  ['with something mapped below the old place', FROM, LEFT, TO, [HUGE_AREA]],
  ['with something mapped below the new place', FROM, LEFT, TO, [TO - OFFSET]],
  ['that are not the first of their area', FROM + 8, LEFT - 8, TO + 8, []],
])('pages %s move one by one', (_what, from, npages, to, others) => {
  mapFixed(machine, mm, FROM, LEFT);
  for (const other of others) mapFixed(machine, mm, other, 1);
  expect(move(from, npages, to)).toEqual({
    heard: [`UNMAP ${from}+${npages}`, `UNMAP ${from}+${npages}`],
    isMarked: true,
  });
});

it.each([1, 2, 3])('nothing moves where table %i of the new place finds no memory', (nth) => {
  const far = FROM + 32 * PMD_PAGES * PMD_PAGES;
  mapFixed(machine, mm, FROM, LEFT);
  go(new TestCpu(machine, mm).store(FROM, 5));
  const injector = new FailureInjector();
  injector.failNth(nth);
  machine.kernel.injectFailures(injector);
  const flags = MremapFlag.MayMove | MremapFlag.Fixed;
  const args = { from: vpn(FROM), fromPages: LEFT, toPages: LEFT, target: vpn(far), flags };
  expect(go(machine.calls.mremap.mremap(mm, args))).toBe(Errno.ENOMEM);
  injector.stop();
  expect(go(new TestCpu(machine, mm).load(FROM))).toBe(5);
  checkAccounting(machine.kernel, [mm]);
});
