/** hugetlb memory: huge pages that are promised at mmap, never split, and copied as a whole. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, type Vpn, vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteBit, pteHas, ptePfn } from '../../../src/mm/table/pte.js';
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
  runAll,
  TestCpu,
} from '../harness.js';
import { HUGE_AREA } from '../huge/hugeHarness.js';

const RW = Prot.Read | Prot.Write;

let machine: Machine;
let mm: Mm;

beforeEach(() => {
  machine = makeMachine({ ramPages: 7 * PMD_PAGES, pagesPerStep: 512 });
  expect(machine.kernel.hugetlb.resize(4)).toBe(4);
  mm = makeMm(machine.kernel);
});

function go<T>(steps: Steps<T>): T {
  return run(machine.kernel, steps);
}

function map(npages: number, flags = 0, hint = HUGE_AREA, prot: number = RW): number {
  const how = flags | MapFlag.Hugetlb | MapFlag.Fixed;
  return go(machine.calls.memoryMap.mmap(mm, { hint: vpn(hint), npages, prot, flags: how }));
}

/** Free, promised and used huge pages. */
function pool(): [number, number, number] {
  const { free, reserved, used } = machine.kernel.hugetlb;
  return [free, reserved, used];
}

function store(page: number, value: number, who = mm): Errno {
  return go(new TestCpu(machine, who).store(page, value));
}

function load(page: number, who = mm): number {
  return go(new TestCpu(machine, who).load(page));
}

function fork(): Mm {
  const child = go(machine.calls.fork.fork(mm, 2));
  assert(typeof child !== 'number', 'fork failed');
  return child;
}

function exit(who: Mm): void {
  go(machine.calls.exit.mmput(who));
}

function check(...others: Mm[]): void {
  checkAccounting(machine.kernel, [mm, ...others]);
}

describe('the pool', () => {
  it('grows as far as memory allows, and shrinks to what is in use or promised', () => {
    const { hugetlb } = machine.kernel;
    expect(hugetlb.resize(100)).toBeLessThan(8);
    expect(hugetlb.resize(4)).toBe(4);
    expect(map(2 * PMD_PAGES)).toBe(HUGE_AREA);
    store(HUGE_AREA, 1);
    expect(hugetlb.resize(0)).toBe(2);
    expect(pool()).toEqual([1, 1, 1]);
    exit(mm);
    expect(hugetlb.resize(0)).toBe(0);
    expect(machine.kernel.ram.usedPages).toBe(1);
  });
});

describe('a private mapping', () => {
  it('promises its pages, takes them at the first touch and gives all back', () => {
    expect(map(2 * PMD_PAGES)).toBe(HUGE_AREA);
    expect(pool()).toEqual([4, 2, 0]);
    expect(load(HUGE_AREA + 5)).toBe(0);
    expect(pool()).toEqual([3, 1, 1]);
    expect(pteHas(pteOf(mm, HUGE_AREA + 5), PteBit.Huge)).toBe(true);
    expect(pteHas(pteOf(mm, HUGE_AREA + 5), PteBit.Write)).toBe(false);
    expect(store(HUGE_AREA + 7, 77)).toBe(Errno.OK);
    expect(load(HUGE_AREA + 7)).toBe(77);
    expect(pool()).toEqual([3, 1, 1]);
    check();
    expect(go(machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA), 2 * PMD_PAGES))).toBe(Errno.OK);
    expect(pool()).toEqual([4, 0, 0]);
  });

  it('is refused when the pool cannot promise it, and leaves nothing behind', () => {
    expect(map(5 * PMD_PAGES)).toBe(Errno.ENOMEM);
    expect([mm.vmas.size, ...pool()]).toEqual([0, 4, 0, 0]);
    expect(map(5 * PMD_PAGES, MapFlag.NoReserve)).toBe(HUGE_AREA);
    expect(pool()).toEqual([4, 0, 0]);
    for (let i = 0; i < 4; i++) expect(store(HUGE_AREA + i * PMD_PAGES, i)).toBe(Errno.OK);
    expect(store(HUGE_AREA + 4 * PMD_PAGES, 4)).toBe(Errno.EFAULT);
    check();
  });

  it('has whole huge pages: lengths are rounded up, cuts through one are refused', () => {
    expect(map(10)).toBe(HUGE_AREA);
    expect(mm.vmas.find(vpn(HUGE_AREA))?.pages).toBe(PMD_PAGES);
    expect(map(PMD_PAGES, 0, HUGE_AREA + 3)).toBe(Errno.EINVAL);
    const { memoryMap, mprotect, madvise } = machine.calls;
    expect(go(memoryMap.munmap(mm, vpn(HUGE_AREA), 10))).toBe(Errno.EINVAL);
    expect(go(memoryMap.munmap(mm, vpn(HUGE_AREA + 10), PMD_PAGES))).toBe(Errno.EINVAL);
    expect(go(mprotect.mprotect(mm, vpn(HUGE_AREA), 10, Prot.Read))).toBe(Errno.EINVAL);
    expect(go(madvise.madvise(mm, vpn(HUGE_AREA + 1), 1, Madvise.DontNeed))).toBe(Errno.EINVAL);
    expect(go(madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.Free))).toBe(Errno.EINVAL);
    expect(go(madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.Collapse))).toBe(Errno.EINVAL);
    expect(mm.vmas.size).toBe(1);
  });

  it('without a place gets an aligned one', () => {
    const args = { hint: vpn(0), npages: PMD_PAGES, prot: RW, flags: MapFlag.Hugetlb };
    const start = go(machine.calls.memoryMap.mmap(mm, args));
    expect(start % PMD_PAGES).toBe(0);
    expect(start).toBeGreaterThan(0);
  });

  it('keeps the right to a page that DONTNEED took, of which a part is none', () => {
    map(2 * PMD_PAGES);
    store(HUGE_AREA, 1);
    store(HUGE_AREA + PMD_PAGES, 2);
    const advise = machine.calls.madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES + 9, Madvise.DontNeed);
    expect(go(advise)).toBe(Errno.OK);
    expect(pool()).toEqual([3, 1, 1]);
    expect([load(HUGE_AREA), load(HUGE_AREA + PMD_PAGES)]).toEqual([0, 2]);
    check();
  });

  it('loses and regains write permission, by a fault and without a copy', () => {
    map(PMD_PAGES);
    store(HUGE_AREA, 1);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    go(machine.calls.mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, Prot.Read));
    expect(store(HUGE_AREA, 2)).toBe(Errno.EFAULT);
    go(machine.calls.mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, RW));
    expect(pteHas(pteOf(mm, HUGE_AREA), PteBit.Write)).toBe(false);
    expect(store(HUGE_AREA + 4, 3)).toBe(Errno.OK);
    expect([ptePfn(pteOf(mm, HUGE_AREA)), load(HUGE_AREA), load(HUGE_AREA + 4)]).toEqual([head, 1, 3]);
  });

  it('is filled by MAP_LOCKED and not locked, so that mprotect makes no copies', () => {
    const { mprotect } = machine.calls;
    map(PMD_PAGES, MapFlag.Locked, HUGE_AREA, Prot.Read);
    expect(pool()).toEqual([3, 0, 1]);
    expect((mm.vmas.find(vpn(HUGE_AREA))?.flags ?? -1) & VmFlag.Locked).toBe(0);
    expect(go(mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, RW))).toBe(Errno.OK);
    expect(pteHas(pteOf(mm, HUGE_AREA), PteBit.Write)).toBe(false);
    expect(store(HUGE_AREA, 1)).toBe(Errno.OK);
    check();
  });

  it('moves with its pages and promises, wholly or in part, but does not grow', () => {
    map(3 * PMD_PAGES);
    store(HUGE_AREA, 1);
    const to = HUGE_AREA + 8 * PMD_PAGES;
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const move = (fromPages: number, toPages: number, target: number): number =>
      go(
        machine.calls.mremap.mremap(mm, {
          from: vpn(HUGE_AREA),
          fromPages,
          toPages,
          flags,
          target: vpn(target),
        }),
      );
    expect(move(PMD_PAGES, 2 * PMD_PAGES, to)).toBe(Errno.EINVAL);
    expect(move(2 * PMD_PAGES, 2 * PMD_PAGES, to + 1)).toBe(Errno.EINVAL);
    expect(move(2 * PMD_PAGES, 2 * PMD_PAGES, to)).toBe(to);
    expect(load(to)).toBe(1);
    expect(pool()).toEqual([3, 2, 1]);
    check();
    expect(store(to + PMD_PAGES, 2)).toBe(Errno.OK);
    expect(store(HUGE_AREA + 2 * PMD_PAGES, 3)).toBe(Errno.OK);
    expect(pool()).toEqual([1, 0, 3]);
    exit(mm);
    expect(pool()).toEqual([4, 0, 0]);
  });

  it('stays where it is when there is no memory for the areas that a move of a part makes', () => {
    const { mremap } = machine.calls;
    const target = vpn(HUGE_AREA + 8 * PMD_PAGES);
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const move = { from: vpn(HUGE_AREA), fromPages: PMD_PAGES, toPages: PMD_PAGES, target, flags };
    map(2 * PMD_PAGES);
    store(HUGE_AREA, 7);
    const injector = new FailureInjector();
    machine.kernel.injectFailures(injector);
    let failed = 0;
    for (let n = 1; n < 20; n++) {
      injector.failNth(n);
      const errno = go(mremap.mremap(mm, move));
      if (errno === target) break;
      expect(errno).toBe(Errno.ENOMEM);
      expect([load(HUGE_AREA), pool()]).toEqual([7, [3, 1, 1]]);
      failed++;
    }
    injector.stop();
    expect(failed).toBeGreaterThan(1);
    expect([load(target), pool()]).toEqual([7, [3, 1, 1]]);
    check();
  });
});

it.each([1, 2, 3])('a move of its middle leaves an area whole without memory for area %i of three', (n) => {
  const target = vpn(HUGE_AREA + 8 * PMD_PAGES);
  const flags = MremapFlag.MayMove | MremapFlag.Fixed;
  map(3 * PMD_PAGES);
  const injector = new FailureInjector();
  machine.kernel.injectFailures(injector);
  injector.failNth(n);
  const move = { from: vpn(HUGE_AREA + PMD_PAGES), fromPages: PMD_PAGES, toPages: PMD_PAGES, target, flags };
  expect(go(machine.calls.mremap.mremap(mm, move))).toBe(Errno.ENOMEM);
  injector.stop();
  expect([mm.vmas.size, pool()]).toEqual([1, [4, 3, 0]]);
  check();
});

it('two threads that touch the last page that was promised both get it', () => {
  for (let seed = 1; seed <= 8; seed++) {
    machine = makeMachine({ ramPages: 7 * PMD_PAGES, pagesPerStep: 512, seed });
    expect(machine.kernel.hugetlb.resize(1)).toBe(1);
    mm = makeMm(machine.kernel);
    map(PMD_PAGES);
    const both = [0, 1].map((i) => new TestCpu(machine, mm, i).store(HUGE_AREA + i, 5 + i));
    expect(runAll(machine.kernel, both)).toEqual([Errno.OK, Errno.OK]);
    expect([load(HUGE_AREA), load(HUGE_AREA + 1), pool()]).toEqual([5, 6, [0, 0, 1]]);
  }
});

it('a move that finds no page tables leaves the old area its promises', () => {
  const target = vpn(HUGE_AREA + 2 ** 30);
  const flags = MremapFlag.MayMove | MremapFlag.Fixed;
  const pages = 2 * PMD_PAGES;
  map(pages);
  store(HUGE_AREA, 7);
  const injector = new FailureInjector();
  machine.kernel.injectFailures(injector);
  injector.failNext(AllocSite.PageTable, 1);
  const move = { from: vpn(HUGE_AREA), fromPages: pages, toPages: pages, target, flags };
  expect(go(machine.calls.mremap.mremap(mm, move))).toBe(Errno.ENOMEM);
  injector.stop();
  expect(pool()).toEqual([3, 1, 1]);
  expect([store(HUGE_AREA + PMD_PAGES, 8), load(HUGE_AREA), pool()]).toEqual([Errno.OK, 7, [2, 0, 2]]);
  check();
});

it('has no soft-dirty bits: its entries stay writable when they are cleared', () => {
  map(PMD_PAGES);
  store(HUGE_AREA, 7);
  go(machine.calls.pagemap.clearSoftDirty(mm));
  expect(pteHas(pteOf(mm, HUGE_AREA), PteBit.Write)).toBe(true);
});

describe('mirrors of hugetlb memory', () => {
  it('see CLEAR of the whole area at a fork, and of one huge page at a copy', () => {
    map(2 * PMD_PAGES);
    store(HUGE_AREA, 1);
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, 2 * PMD_PAGES);
    const child = fork();
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+${2 * PMD_PAGES}`]);
    store(HUGE_AREA + 9, 1);
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+${PMD_PAGES}`]);
    exit(child);
    go(mm.notifiers.remove(recorder.notifier));
  });
});

describe('a shared mapping', () => {
  it('shows parent and child the same pages, which last as long as somebody maps them', () => {
    map(2 * PMD_PAGES, MapFlag.Shared);
    expect(pool()).toEqual([4, 2, 0]);
    store(HUGE_AREA, 1);
    const child = fork();
    expect(load(HUGE_AREA, child)).toBe(1);
    expect(store(HUGE_AREA + PMD_PAGES, 5, child)).toBe(Errno.OK);
    expect(load(HUGE_AREA + PMD_PAGES)).toBe(5);
    expect(pool()).toEqual([2, 0, 2]);
    check(child);
    exit(mm);
    expect(load(HUGE_AREA, child)).toBe(1);
    exit(child);
    expect(pool()).toEqual([4, 0, 0]);
  });

  it('gives up what was promised and not used with its last area', () => {
    map(3 * PMD_PAGES, MapFlag.Shared);
    store(HUGE_AREA, 1);
    go(machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA + PMD_PAGES), PMD_PAGES));
    expect(pool()).toEqual([3, 2, 1]);
    exit(mm);
    expect(pool()).toEqual([4, 0, 0]);
  });
});

describe('after a fork', () => {
  it('the first to write copies the huge page, and the last has it for itself', () => {
    map(PMD_PAGES);
    store(HUGE_AREA + 3, 1);
    const child = fork();
    expect(store(HUGE_AREA, 10, child)).toBe(Errno.OK);
    expect([load(HUGE_AREA + 3, child), load(HUGE_AREA, child), load(HUGE_AREA)]).toEqual([1, 10, 0]);
    expect(pool()).toEqual([2, 0, 2]);
    expect(store(HUGE_AREA, 20)).toBe(Errno.OK);
    expect(pool()).toEqual([2, 0, 2]);
    check(child);
  });

  it('the child is promised nothing', () => {
    map(4 * PMD_PAGES);
    store(HUGE_AREA, 1);
    const child = fork();
    expect(store(HUGE_AREA + PMD_PAGES, 1, child)).toBe(Errno.EFAULT);
    expect(store(HUGE_AREA + PMD_PAGES, 1)).toBe(Errno.OK);
    check(child);
  });

  it('the parent takes its page from the child when the pool is empty', () => {
    map(4 * PMD_PAGES);
    for (let i = 0; i < 4; i++) store(HUGE_AREA + i * PMD_PAGES, i + 1);
    const child = fork();
    expect(store(HUGE_AREA, 9)).toBe(Errno.OK);
    expect(load(HUGE_AREA)).toBe(9);
    expect(load(HUGE_AREA, child)).toBe(Errno.EFAULT);
    expect(load(HUGE_AREA + PMD_PAGES, child)).toBe(2);
    check(child);
    exit(child);
    exit(mm);
    expect(pool()).toEqual([4, 0, 0]);
  });

  it('a pinned page stays the parent’s and the child gets a copy', () => {
    map(PMD_PAGES);
    store(HUGE_AREA + 2, 1);
    const pages = new Uint32Array(4);
    const { gup } = machine.calls;
    const flags = GupFlag.Pin | GupFlag.Write;
    expect(go(gup.getUserPagesFast(mm, vpn(HUGE_AREA), 4, flags, pages))).toBe(4);
    const child = fork();
    expect(ptePfn(pteOf(child, HUGE_AREA))).not.toBe(pages[0]);
    expect(store(HUGE_AREA + 2, 5)).toBe(Errno.OK);
    expect(machine.kernel.memory.words[machine.kernel.memory.wordIndex(pages[2] as Pfn)]).toBe(5);
    expect(load(HUGE_AREA + 2, child)).toBe(1);
    gup.release(pages, 4, flags);
    check(child);
  });
});

it('small memory cannot take what belongs to the pool', () => {
  mapFixed(machine, mm, HUGE_AREA, 4 * PMD_PAGES);
  let errno: Errno = Errno.OK;
  let page = HUGE_AREA as Vpn;
  for (; errno === Errno.OK && page < HUGE_AREA + 4 * PMD_PAGES; page = (page + 1) as Vpn)
    errno = store(page, 1);
  expect(errno).toBe(Errno.ENOMEM);
  expect(pool()).toEqual([4, 0, 0]);
});
