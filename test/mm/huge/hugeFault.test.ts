/** Huge pages by fault and by collapse: when they are made, what they hold, and what happens where they cannot be made. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_ORDER, PMD_PAGES, vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { isLeafAt, splitLeaf } from '../../../src/mm/huge/hugeLeaf.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  StepRecorder,
  TestCpu,
  TestDevice,
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea } from './hugeHarness.js';

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;

beforeEach(() => {
  machine = makeMachine({ ramPages: HUGE_RAM, vramPages: [1024] });
  machine.kernel.thp = ThpMode.Madvise;
  mm = makeMm(machine.kernel);
  cpu = new TestCpu(machine, mm);
});

function advise(advice: Madvise, start = HUGE_AREA, npages = PMD_PAGES): Errno {
  return run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(start), npages, advice));
}

function mapAdvised(leaves = 1): void {
  mapHugeArea(machine, mm, leaves);
  expect(advise(Madvise.HugePage, HUGE_AREA, leaves * PMD_PAGES)).toBe(Errno.OK);
}

function store(page: number, value: number): void {
  expect(run(machine.kernel, cpu.store(page, value))).toBe(Errno.OK);
}

function load(page: number): number {
  return run(machine.kernel, cpu.load(page));
}

function isHuge(): boolean {
  return isLeafAt(mm.pageTable, HUGE_AREA);
}

it('a store to zeros begins anew where a huge page has come while it split the one that it met', () => {
  const { kernel, calls } = machine;
  mapAdvised();
  expect(load(HUGE_AREA)).toBe(0);
  const vma = mm.vmas.find(vpn(HUGE_AREA)) ?? expect.unreachable();
  const right = mm.notifiers.invalidateEnd.bind(mm.notifiers);
  mm.notifiers.invalidateEnd = function* (range) {
    mm.notifiers.invalidateEnd = right;
    yield* right(range);
    yield* calls.zap.zapRange(mm, vpn(HUGE_AREA), vpn(HUGE_AREA + PMD_PAGES));
    expect(yield* calls.faults.handleMmFault(mm, vma, vpn(HUGE_AREA), false)).toBe(Errno.OK);
    expect(isHuge()).toBe(true);
  };
  store(HUGE_AREA + 5, 7);
  expect([load(HUGE_AREA + 5), load(HUGE_AREA + 6)]).toEqual([7, 0]);
  checkAccounting(kernel, [mm]);
});

describe('a first touch', () => {
  it('that stores gets a huge page where the area asks for it', () => {
    mapAdvised();
    store(HUGE_AREA + 5, 7);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    expect(isHuge()).toBe(true);
    expect([machine.kernel.folios.refcount(head), machine.kernel.folios.entireMapcount(head)]).toEqual([
      1, 1,
    ]);
    expect([load(HUGE_AREA + 5), load(HUGE_AREA + 6)]).toEqual([7, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('that loads gets the huge zero page, and the first store small pages', () => {
    mapAdvised();
    expect(load(HUGE_AREA + 5)).toBe(0);
    expect(isHuge()).toBe(true);
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, PMD_PAGES);
    store(HUGE_AREA + 5, 7);
    expect(isHuge()).toBe(false);
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+512`, `CLEAR ${HUGE_AREA + 5}+1`]);
    expect([load(HUGE_AREA + 5), load(HUGE_AREA + 6)]).toEqual([7, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('gets a small page without the advice, against it, and where the PMD leaves the area', () => {
    mapHugeArea(machine, mm);
    store(HUGE_AREA, 1);
    expect(isHuge()).toBe(false);
    mapFixed(machine, mm, HUGE_AREA + 8 * PMD_PAGES, PMD_PAGES - 1);
    expect(advise(Madvise.HugePage, HUGE_AREA + 8 * PMD_PAGES, PMD_PAGES - 1)).toBe(Errno.OK);
    store(HUGE_AREA + 8 * PMD_PAGES, 1);
    expect(isLeafAt(mm.pageTable, HUGE_AREA + 8 * PMD_PAGES)).toBe(false);
    machine.kernel.thp = ThpMode.Always;
    mapFixed(machine, mm, HUGE_AREA + 16 * PMD_PAGES, PMD_PAGES);
    advise(Madvise.NoHugePage, HUGE_AREA + 16 * PMD_PAGES);
    store(HUGE_AREA + 16 * PMD_PAGES, 1);
    expect(isLeafAt(mm.pageTable, HUGE_AREA + 16 * PMD_PAGES)).toBe(false);
  });

  it('gets a small page when there is no huge one', () => {
    mapAdvised();
    const injector = new FailureInjector();
    machine.kernel.injectFailures(injector);
    injector.failNext(AllocSite.HugePage);
    store(HUGE_AREA + 5, 7);
    expect(isHuge()).toBe(false);
    expect(load(HUGE_AREA + 5)).toBe(7);
    machine.kernel.injectFailures(null);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('part of a huge page', () => {
  beforeEach(() => {
    mapAdvised();
    store(HUGE_AREA, 1);
    store(HUGE_AREA + 511, 511);
  });

  it('is unmapped by splitting the leaf; the rest keeps its folio', () => {
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, PMD_PAGES);
    run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA), 100));
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+512`, `UNMAP ${HUGE_AREA}+100`]);
    expect(isHuge()).toBe(false);
    expect(load(HUGE_AREA + 511)).toBe(511);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is protected by splitting the leaf, and all of it without', () => {
    const { mprotect } = machine.calls;
    run(machine.kernel, mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, Prot.Read));
    expect(isHuge()).toBe(true);
    expect(run(machine.kernel, cpu.store(HUGE_AREA, 2))).toBe(Errno.EFAULT);
    run(machine.kernel, mprotect.mprotect(mm, vpn(HUGE_AREA), 8, Prot.Read | Prot.Write));
    expect(isHuge()).toBe(false);
    store(HUGE_AREA, 3);
    expect([load(HUGE_AREA), load(HUGE_AREA + 511)]).toEqual([3, 511]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('moves as a leaf where both places are aligned, and page by page elsewhere', () => {
    const { mremap } = machine.calls;
    const to = HUGE_AREA + 16 * PMD_PAGES;
    const args = { from: vpn(HUGE_AREA), fromPages: PMD_PAGES, toPages: PMD_PAGES, flags: 3 };
    expect(run(machine.kernel, mremap.mremap(mm, { ...args, target: vpn(to) }))).toBe(to);
    expect(isLeafAt(mm.pageTable, to)).toBe(true);
    const odd = HUGE_AREA + 32 * PMD_PAGES + 128;
    expect(run(machine.kernel, mremap.mremap(mm, { ...args, from: vpn(to), target: vpn(odd) }))).toBe(odd);
    expect(isLeafAt(mm.pageTable, odd)).toBe(false);
    expect([load(odd), load(odd + 511)]).toEqual([1, 511]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is given up whole by DONTNEED, and can be huge again', () => {
    expect(advise(Madvise.DontNeed)).toBe(Errno.OK);
    expect(machine.kernel.ram.usedPages).toBe(1);
    store(HUGE_AREA + 3, 9);
    expect([isHuge(), load(HUGE_AREA + 511)]).toEqual([true, 0]);
  });

  it('splits at the border of an area that an advice cuts', () => {
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, PMD_PAGES);
    expect(advise(Madvise.DontFork, HUGE_AREA, 10)).toBe(Errno.OK);
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+512`]);
    expect(isHuge()).toBe(false);
    expect(areasOf(mm)).toEqual([`${HUGE_AREA}+10 rw-`, `${HUGE_AREA + 10}+502 rw-`]);
    expect(load(HUGE_AREA + 511)).toBe(511);
  });
});

describe('MADV_COLLAPSE', () => {
  beforeEach(() => {
    machine.kernel.thp = ThpMode.Never;
    mapHugeArea(machine, mm, 2);
  });

  it('makes one huge page of what is there, zeros elsewhere, and frees the small ones', () => {
    for (const i of [0, 3, 511]) store(HUGE_AREA + i, i + 1);
    expect(load(HUGE_AREA + 4)).toBe(0);
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, PMD_PAGES);
    expect(advise(Madvise.Collapse)).toBe(Errno.OK);
    expect(recorder.take()).toEqual([`CLEAR ${HUGE_AREA}+512`]);
    expect(isHuge()).toBe(true);
    expect([0, 3, 4, 5, 511].map((i) => load(HUGE_AREA + i))).toEqual([1, 4, 0, 0, 512]);
    expect(machine.kernel.ram.usedPages).toBe(1 + PMD_PAGES);
    checkAccounting(machine.kernel, [mm]);
    expect(advise(Madvise.Collapse)).toBe(Errno.OK);
  });

  it('brings pages back from a device first', () => {
    const device = new TestDevice(machine.kernel);
    machine.kernel.addPagemap(device.pagemap);
    store(HUGE_AREA, 1);
    store(HUGE_AREA + 1, 2);
    device.takePage(mm, HUGE_AREA + 1);
    expect(advise(Madvise.Collapse)).toBe(Errno.OK);
    expect([isHuge(), device.migrations, load(HUGE_AREA + 1)]).toEqual([true, 1, 2]);
    expect(device.vram.usedPages).toBe(0);
  });

  it('brings pages back from swap first, and leaves none in the swap cache', () => {
    store(HUGE_AREA, 1);
    store(HUGE_AREA + 1, 2);
    run(machine.kernel, machine.calls.reclaim.shrinkMm(mm));
    store(HUGE_AREA + 2, 3);
    expect(advise(Madvise.Collapse)).toBe(Errno.OK);
    expect([isHuge(), load(HUGE_AREA + 1)]).toEqual([true, 2]);
    const { swapCache, ram } = machine.kernel;
    expect([swapCache.size, swapCache.area.usedSlots, ram.usedPages]).toEqual([0, 0, 1 + PMD_PAGES]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('refuses what the kernel refuses, with its errno', () => {
    load(HUGE_AREA);
    expect(advise(Madvise.Collapse)).toBe(Errno.EINVAL);
    store(HUGE_AREA, 1);
    const { kernel } = machine;
    const held = ptePfn(pteOf(mm, HUGE_AREA));
    kernel.folios.get(held);
    expect(advise(Madvise.Collapse)).toBe(Errno.EAGAIN);
    kernel.folios.put(held);
    const injector = new FailureInjector();
    kernel.injectFailures(injector);
    injector.failNext(AllocSite.HugePage);
    expect(advise(Madvise.Collapse)).toBe(Errno.ENOMEM);
    kernel.injectFailures(null);
    advise(Madvise.NoHugePage);
    expect(advise(Madvise.Collapse)).toBe(Errno.EINVAL);
    expect(load(HUGE_AREA)).toBe(1);
    checkAccounting(kernel, [mm]);
  });
});

describe('MADV_COLLAPSE of less than a huge page', () => {
  it('is refused where nobody ever stored, and has nothing to do across the boundary of two', () => {
    mapHugeArea(machine, mm, 2);
    expect(advise(Madvise.Collapse, HUGE_AREA + 1, PMD_PAGES)).toBe(Errno.EINVAL);
    store(HUGE_AREA, 1);
    expect(advise(Madvise.Collapse, HUGE_AREA + 1, PMD_PAGES)).toBe(Errno.OK);
    expect(isHuge()).toBe(false);
  });

  it('is refused within one, unless it begins or ends with it', () => {
    mapHugeArea(machine, mm, 2);
    store(HUGE_AREA, 1);
    expect(advise(Madvise.Collapse, HUGE_AREA + 1, 9)).toBe(Errno.EINVAL);
    expect(advise(Madvise.Collapse, HUGE_AREA, 9)).toBe(Errno.OK);
  });

  it('is refused in an area without room for one', () => {
    mapFixed(machine, mm, HUGE_AREA + 1, PMD_PAGES);
    store(HUGE_AREA + 1, 1);
    expect(advise(Madvise.Collapse, HUGE_AREA + 1, 9)).toBe(Errno.EINVAL);
    expect(advise(Madvise.Collapse, HUGE_AREA + PMD_PAGES, 1)).toBe(Errno.EINVAL);
  });
});

describe('MADV_FREE of a part of a huge page', () => {
  /** A huge page with something in pages 1 to 9. */
  function mapUsed(): void {
    mapAdvised();
    for (let i = 1; i < 10; i++) store(HUGE_AREA + i, i);
  }
  const folioAt = (page: number): number => machine.kernel.folios.order(ptePfn(pteOf(mm, page)));
  const isFreed = (page: number): boolean =>
    machine.kernel.folios.testFlag(ptePfn(pteOf(mm, page)), FolioFlag.LazyFree);

  it('splits the folio and gives up the part; pages of zeros read the zero page', () => {
    mapUsed();
    expect(advise(Madvise.Free, HUGE_AREA, 5)).toBe(Errno.OK);
    expect([isHuge(), folioAt(HUGE_AREA + 1), folioAt(HUGE_AREA + 9)]).toEqual([false, 0, 0]);
    expect([4, 5].map((i) => isFreed(HUGE_AREA + i))).toEqual([true, false]);
    expect(ptePfn(pteOf(mm, HUGE_AREA + 20))).toBe(machine.kernel.zeroPage);
    expect(machine.kernel.ram.usedPages).toBe(1 + 9);
    expect([1, 9, 20].map((i) => load(HUGE_AREA + i))).toEqual([1, 9, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('does so where its pages are mapped one by one, and takes it as one where the range has all of it', () => {
    mapUsed();
    splitLeaf(machine.kernel, mm, HUGE_AREA);
    expect(advise(Madvise.Free)).toBe(Errno.OK);
    expect([folioAt(HUGE_AREA), isFreed(HUGE_AREA)]).toEqual([PMD_ORDER, true]);
    expect(advise(Madvise.Free, HUGE_AREA + 5, 3)).toBe(Errno.OK);
    expect([folioAt(HUGE_AREA + 1), folioAt(HUGE_AREA + 9)]).toEqual([0, 0]);
    expect([1, 5, 9].map((i) => load(HUGE_AREA + i))).toEqual([1, 5, 9]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('leaves it alone while another process maps it, or somebody holds it', () => {
    mapUsed();
    const { kernel } = machine;
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    kernel.folios.get(head);
    expect(advise(Madvise.Free, HUGE_AREA, 5)).toBe(Errno.OK);
    expect([folioAt(HUGE_AREA), isFreed(HUGE_AREA + 1)]).toEqual([PMD_ORDER, false]);
    kernel.folios.put(head);
    const child = run(kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(advise(Madvise.Free, HUGE_AREA, 5)).toBe(Errno.OK);
    expect([folioAt(HUGE_AREA), isFreed(HUGE_AREA + 1)]).toEqual([PMD_ORDER, false]);
    checkAccounting(kernel, [mm, child]);
  });
});

describe('a child', () => {
  it('gets a copy of the huge zero page, though it could make its own', () => {
    mapAdvised();
    load(HUGE_AREA);
    const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(isLeafAt(child.pageTable, HUGE_AREA)).toBe(true);
    checkAccounting(machine.kernel, [mm, child]);
  });
});

describe('a cut through a PMD that the area covers', () => {
  const cutTells = (cut: () => unknown): string[] => {
    const recorder = new RecordingNotifier(machine.kernel, mm, HUGE_AREA, 2 * PMD_PAGES);
    cut();
    return recorder.take();
  };
  const first = `CLEAR ${HUGE_AREA}+512`;

  beforeEach(() => {
    mapHugeArea(machine, mm, 2);
    store(HUGE_AREA + PMD_PAGES + 1, 1);
  });

  it('tells mirrors of all its pages, though no huge page is there', () => {
    expect(cutTells(() => advise(Madvise.DontFork, HUGE_AREA, 10))).toEqual([first]);
  });

  it('does so once for two cuts, as the second is made in a smaller area', () => {
    expect(cutTells(() => advise(Madvise.DontFork, HUGE_AREA + 10, 10))).toEqual([first]);
  });

  it('does so for mlock and munmap too', () => {
    expect(cutTells(() => run(machine.kernel, machine.calls.mlock.munlock(mm, vpn(HUGE_AREA), 10)))).toEqual(
      [],
    );
    expect(cutTells(() => run(machine.kernel, machine.calls.mlock.mlock(mm, vpn(HUGE_AREA), 10)))[0]).toBe(
      first,
    );
    const second = `CLEAR ${HUGE_AREA + PMD_PAGES}+512`;
    const unmapped = `UNMAP ${HUGE_AREA + PMD_PAGES + 1}+511`;
    const unmap = (): unknown =>
      run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA + PMD_PAGES + 1), 511));
    expect(cutTells(unmap)).toEqual([second, unmapped]);
  });

  it('tells nobody where nothing was ever mapped near it', () => {
    const far = HUGE_AREA + PMD_PAGES * PMD_PAGES;
    mapFixed(machine, mm, far, PMD_PAGES);
    const recorder = new RecordingNotifier(machine.kernel, mm, far, PMD_PAGES);
    advise(Madvise.DontFork, far, 10);
    expect(recorder.take()).toEqual([]);
  });
});

describe('a huge page that nobody may access', () => {
  it('keeps its content and is exclusive still', () => {
    mapAdvised();
    store(HUGE_AREA + 9, 4);
    const { mprotect } = machine.calls;
    run(machine.kernel, mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, Prot.None));
    expect(pteHas(pteOf(mm, HUGE_AREA + 9), PteBit.ProtNone)).toBe(true);
    run(machine.kernel, mprotect.mprotect(mm, vpn(HUGE_AREA), PMD_PAGES, Prot.Read | Prot.Write));
    expect([pteKind(pteOf(mm, HUGE_AREA + 9)), load(HUGE_AREA + 9)]).toEqual([PteKind.Present, 4]);
    expect(machine.kernel.folios.testFlag(pfn(ptePfn(pteOf(mm, HUGE_AREA))), FolioFlag.AnonExclusive)).toBe(
      true,
    );
  });
});

describe('a collapse that something overtakes while it lets go of mmap_lock', () => {
  it.each([
    ['half of it is unmapped', () => machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA + 256), 256)],
    [
      'it is to have no huge pages',
      () => machine.calls.madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.NoHugePage),
    ],
  ])('leaves small pages where %s', (_, overtake) => {
    const results = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      machine = makeMachine({ ramPages: HUGE_RAM, seed });
      mm = makeMm(machine.kernel);
      cpu = new TestCpu(machine, mm);
      mapHugeArea(machine, mm);
      for (let i = 1; i < 16; i++) store(HUGE_AREA + i, i);
      const { kernel, calls } = machine;
      run(kernel, calls.reclaim.shrinkMm(mm));
      store(HUGE_AREA, 100);
      const steps = new StepRecorder(kernel);
      // Pages that are brought back take a while, in which others queue for the lock.
      function* overtakeIt(): Steps<Errno> {
        while (!steps.names.includes('collapse.allocated')) yield STEP;
        return yield* overtake();
      }
      const collapse = calls.madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.Collapse);
      const [result] = runAll<Errno>(kernel, [collapse, overtakeIt()]);
      steps.stop();
      results.add(`${result} ${isHuge()}`);
      expect([0, 1, 15].map((i) => load(HUGE_AREA + i))).toEqual([100, 1, 15]);
      checkAccounting(kernel, [mm]);
    }
    expect(results).toContain(`${Errno.EINVAL} false`);
  });
});
