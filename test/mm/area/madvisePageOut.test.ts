/** MADV_PAGEOUT: what one process alone maps leaves memory at once; locked areas refuse, and a large folio is split for its part. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteKind, pteKind } from '../../../src/mm/table/pte.js';
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
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';

const HIGH = 2 ** 34;
let machine: Machine;
let mm: Mm;
let cpu: TestCpu;

function pageOut(start = HIGH, npages = 4): Errno {
  return run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(start), npages, Madvise.PageOut));
}

/** Which pages are in swap. */
function swapped(start: number, npages: number): number[] {
  return Array.from({ length: npages }, (_, i) => i).filter(
    (i) => pteKind(pteOf(mm, start + i)) === PteKind.Swap,
  );
}

describe('small pages', () => {
  beforeEach(() => {
    machine = makeMachine();
    mm = makeMm(machine.kernel);
    cpu = new TestCpu(machine, mm);
    mapFixed(machine, mm, HIGH, 4);
    for (let i = 0; i < 4; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  });

  it('go to swap, each inside a CLEAR invalidation, and come back with the next access', () => {
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    expect(pageOut(HIGH + 1, 2)).toBe(Errno.OK);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 1}+1`, `CLEAR ${HIGH + 2}+1`]);
    expect(swapped(HIGH, 4)).toEqual([1, 2]);
    expect([0, 1, 2, 3].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 12, 13]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('stay where another process maps them too', () => {
    const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    run(machine.kernel, cpu.store(HIGH + 2, 99));
    expect(pageOut()).toBe(Errno.OK);
    expect(swapped(HIGH, 4)).toEqual([2]);
    checkAccounting(machine.kernel, [mm, child]);
  });

  it('are not touched from a locked area on, which says -EINVAL', () => {
    run(machine.kernel, machine.calls.mlock.mlock(mm, vpn(HIGH + 2), 1));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH + 2, 2);
    expect(pageOut()).toBe(Errno.EINVAL);
    expect(swapped(HIGH, 4)).toEqual([0, 1]);
    expect(mirror.take()).toEqual([]);
  });

  it('are served around a hole, of which -ENOMEM tells', () => {
    run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(HIGH + 1), 1));
    expect(pageOut()).toBe(Errno.ENOMEM);
    expect(swapped(HIGH, 4)).toEqual([0, 2, 3]);
  });
});

describe('a huge page', () => {
  beforeEach(() => {
    machine = makeMachine({ ramPages: HUGE_RAM });
    mm = makeMm(machine.kernel);
    cpu = new TestCpu(machine, mm);
    mapHugeArea(machine, mm);
    mapHugePage(machine, mm, HUGE_AREA);
  });

  it('goes as a whole', () => {
    expect(pageOut(HUGE_AREA, PMD_PAGES)).toBe(Errno.OK);
    expect(swapped(HUGE_AREA, PMD_PAGES).length).toBe(PMD_PAGES);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is split where a part of it is named, and only that goes', () => {
    expect(pageOut(HUGE_AREA + 3, 2)).toBe(Errno.OK);
    expect(swapped(HUGE_AREA, PMD_PAGES)).toEqual([3, 4]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('stays where another process maps it too', () => {
    const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(pageOut(HUGE_AREA, PMD_PAGES)).toBe(Errno.OK);
    expect(pageOut(HUGE_AREA, 7)).toBe(Errno.OK);
    expect(swapped(HUGE_AREA, PMD_PAGES)).toEqual([]);
    checkAccounting(machine.kernel, [mm, child]);
  });
});
