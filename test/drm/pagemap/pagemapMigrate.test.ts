/** drm_pagemap: migration to a device, between devices, and home again by eviction or a CPU fault; bytes, references and errors. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { Devmem } from '../../../src/drm/pagemap/devmem.js';
import { PagemapStep } from '../../../src/drm/pagemap/pagemapStep.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { PteBit, PteKind, pteHas, pteKind } from '../../../src/mm/table/pte.js';
import { type Steps, stepDefinition } from '../../../src/sim/steps.js';
import { pteOf, runAll, TestCpu } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

const AREA = 0x1000;
const FAULT_COSTS = { cpuFaultNs: 1000, migratePageNs: 0, hmmPageNs: 0, tlbShootdownNs: 0, syscallNs: 0 };

let drm: DrmMachine;
let a: TestGpu;
let b: TestGpu;

function use(machine: DrmMachine): void {
  drm = machine;
  [a, b] = machine.gpus;
}

beforeEach(() => use(new DrmMachine()));

function numbers(npages: number, start = AREA): number[] {
  return Array.from({ length: npages }, (_, i) => start + i);
}

function entries(npages: number): number[] {
  return numbers(npages).map((page) => pteOf(drm.mm, page));
}

/** Nothing is mapped for DMA: migrations unmap all that they map. */
function expectNoDma(): void {
  expect(drm.gpus.map(({ system, peers }) => [system.size, peers.size])).toEqual(drm.gpus.map(() => [0, 0]));
}

function zddOf(page: number): number {
  return drm.kernel.folios.zoneData(drm.pfnOf(page));
}

/** The order in which named steps were taken during `body`. */
function steps(body: () => void, ...rooms: string[]): string[] {
  const names: string[] = [];
  drm.kernel.sched.observer = {
    onStep: (_task, step) => {
      const { name } = stepDefinition(step);
      if (rooms.includes(name.split('.')[0])) names.push(name);
    },
  };
  body();
  drm.kernel.sched.observer = null;
  return names;
}

function* munmap(start: number, npages: number): Steps<Errno> {
  return yield* drm.machine.calls.memoryMap.munmap(drm.mm, vpn(start), npages);
}

describe('migrate_to_devmem', () => {
  it('moves RAM to the device: bytes, entries, references', () => {
    drm.mapFilled(AREA, 16);
    const before = numbers(16).map((page) => drm.pfnOf(page));
    expect(drm.run(a.migrateHere(AREA, 16))).toBe(Errno.OK);
    expect(new Set(drm.places(AREA, 16))).toEqual(new Set(['vram0']));
    expect(drm.peek(AREA, 16)).toEqual(numbers(16));
    for (const page of numbers(16)) {
      expect(pteKind(pteOf(drm.mm, page))).toBe(PteKind.DevicePrivate);
      expect(pteHas(pteOf(drm.mm, page), PteBit.Write)).toBe(true);
      expect(drm.kernel.folios.testFlag(drm.pfnOf(page), FolioFlag.AnonExclusive)).toBe(true);
    }
    expect(before.map((pfn) => drm.kernel.folios.refcount(pfn))).toEqual(new Array(16).fill(0));
    expect(drm.zdds.get(zddOf(AREA)).refs).toBe(16);
    expect(new Set(numbers(16).map(zddOf)).size).toBe(1);
    expect(a.released).toEqual([]);
    drm.checkAtRest();
    expectNoDma();
  });

  it('fills holes and zero pages with zeros, whatever was in the device memory', () => {
    drm.map(AREA, 8);
    drm.run(drm.cpu.load(AREA + 1));
    drm.touch(AREA + 2);
    expect(drm.places(AREA, 3)).toEqual(['none', 'zero', 'ram']);
    expect(drm.run(a.migrateHere(AREA, 8))).toBe(Errno.OK);
    expect(new Set(drm.places(AREA, 8))).toEqual(new Set(['vram0']));
    expect(drm.peek(AREA, 8)).toEqual([0, 0, AREA + 2, 0, 0, 0, 0, 0]);
    expect(drm.read(AREA, 8)).toEqual([0, 0, AREA + 2, 0, 0, 0, 0, 0]);
    drm.checkAtRest();
  });

  it('carries a read-only mapping as read-only', () => {
    drm.mapFilled(AREA, 4);
    drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(AREA), 4, Prot.Read));
    expect(drm.run(a.migrateHere(AREA, 4))).toBe(Errno.OK);
    expect(entries(4).some((pte) => (pte & PteBit.Write) !== 0)).toBe(false);
    expect(drm.read(AREA, 4)).toEqual(numbers(4));
    expect(drm.run(drm.cpu.store(AREA, 1))).toBe(Errno.EFAULT);
  });

  it('maps fresh pages of a read-only area as read-only', () => {
    drm.map(AREA, 4, Prot.Read);
    expect(drm.run(a.migrateHere(AREA, 4))).toBe(Errno.OK);
    expect(entries(4).some((pte) => (pte & PteBit.Write) !== 0)).toBe(false);
  });

  it('keeps the pages for the timeslice from the end of the copy on', () => {
    drm.mapFilled(AREA, 4);
    a.onCopy = function* () {
      yield* drm.kernel.sched.sleep(500);
    };
    const devmem = a.allocate(4);
    expect(drm.run(a.migrateHere(AREA, 4, { timesliceNs: 1000 }, devmem))).toBe(Errno.OK);
    expect(devmem.timesliceExpirationNs).toBe(1500);
  });

  it('goes through its steps in order', () => {
    drm.mapFilled(AREA, 4);
    const seen = steps(() => drm.run(a.migrateHere(AREA, 4)), 'pagemap', 'migrate', 'notifier', 'testgpu');
    expect(seen).toEqual([
      'pagemap.toDevmem',
      'notifier.invStart',
      'migrate.collect',
      'notifier.invEnd',
      'migrate.unmap',
      'pagemap.collected',
      'pagemap.populated',
      'testgpu.copy',
      'pagemap.copied',
      'pagemap.copiedToDevice',
      'migrate.pages',
      'migrate.finalize',
      'pagemap.toDevmemDone',
    ]);
  });

  describe('fails, restores every page, and releases the allocation with', () => {
    let devmem: Devmem;
    let before: number[];

    beforeEach(() => {
      drm.mapFilled(AREA, 8);
      devmem = a.allocate(8);
      before = entries(8);
    });

    function expectFailure(errno: Errno): void {
      expect(drm.run(a.migrateHere(AREA, 8, {}, devmem))).toBe(errno);
      expect(entries(8)).toEqual(before);
      expect(a.released).toEqual([devmem]);
      expect([a.vram.usedPages, drm.zdds.live, a.dpagemap.references]).toEqual([0, 0, 1]);
      expect(drm.peek(AREA, 8)).toEqual(numbers(8));
      expectNoDma();
    }

    it('the error of populate_devmem_pfn', () => {
      a.populateErrno = Errno.ENODEV;
      expectFailure(Errno.ENODEV);
      drm.checkAtRest();
    });

    it('-ENOMEM when RAM cannot be mapped for the device', () => {
      a.mapsLeft = 5;
      expectFailure(Errno.ENOMEM);
      drm.checkAtRest();
    });

    it('the error of the copy', () => {
      a.copyErrno = Errno.EIO;
      expectFailure(Errno.EIO);
      drm.checkAtRest();
    });

    it('-EBUSY when somebody has one of the pages locked', () => {
      const pfn = drm.pfnOf(AREA + 3);
      expect(drm.kernel.folios.trylock(pfn, 4711)).toBe(true);
      expectFailure(Errno.EBUSY);
      drm.kernel.folios.unlock(pfn, 4711);
      drm.checkAtRest();
    });

    it('-EBUSY when one of the pages is pinned', () => {
      const pfn = drm.pfnOf(AREA + 3);
      drm.kernel.folios.get(pfn);
      expectFailure(Errno.EBUSY);
      expect([drm.kernel.folios.refcount(pfn), drm.kernel.folios.mapcount(pfn)]).toEqual([2, 1]);
      drm.kernel.folios.put(pfn);
      drm.checkAtRest();
    });

    it('-ENOENT where nothing is mapped', () => {
      expect(drm.run(a.migrateHere(AREA + 8, 8, {}, devmem))).toBe(Errno.ENOENT);
      expect(a.released).toEqual([devmem]);
    });

    it('-EINVAL when the area ends before the span', () => {
      expect(drm.run(a.migrateHere(AREA + 4, 8, {}, devmem))).toBe(Errno.EINVAL);
      expect(a.released).toEqual([devmem]);
    });
  });

  it('is -EBUSY when a page was pinned during the copy; the others have moved', () => {
    drm.mapFilled(AREA, 8);
    const pfn = drm.pfnOf(AREA + 3);
    a.onCopy = function* () {
      drm.kernel.folios.get(pfn);
    };
    expect(drm.run(a.migrateHere(AREA, 8))).toBe(Errno.EBUSY);
    expect(drm.places(AREA, 8).map((place) => place === 'vram0')).toEqual(
      [1, 1, 1, 0, 1, 1, 1, 1].map(Boolean),
    );
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect(drm.zdds.get(zddOf(AREA)).refs).toBe(7);
    expect(a.released).toEqual([]);
    drm.kernel.folios.put(pfn);
    drm.checkAtRest();
    expectNoDma();
  });

  describe('of pages that are on the device already', () => {
    beforeEach(() => {
      drm.mapFilled(AREA, 8);
      drm.run(a.migrateHere(AREA, 4));
    });

    it('has nothing to do when all are', () => {
      const before = entries(4);
      const devmem = a.allocate(4);
      const seen = steps(() => {
        expect(drm.run(a.migrateHere(AREA, 4, {}, devmem))).toBe(Errno.OK);
      }, 'pagemap');
      expect(seen).toEqual(['pagemap.toDevmem', 'pagemap.collected', 'pagemap.alreadyThere']);
      expect(entries(4)).toEqual(before);
      expect(a.released).toEqual([devmem]);
      drm.checkAtRest();
    });

    it('is -EBUSY when some are', () => {
      const before = entries(8);
      const devmem = a.allocate(8);
      expect(drm.run(a.migrateHere(AREA, 8, {}, devmem))).toBe(Errno.EBUSY);
      expect(entries(8)).toEqual(before);
      expect(a.released).toEqual([devmem]);
      drm.checkAtRest();
    });

    it('moves them within the device where that is allowed', () => {
      const [old] = a.live;
      expect(drm.run(a.migrateHere(AREA, 8, { canMigrateSamePagemap: true }))).toBe(Errno.OK);
      expect(drm.peek(AREA, 8)).toEqual(numbers(8));
      expect(new Set(numbers(8).map(zddOf)).size).toBe(1);
      expect(a.released).toEqual([old]);
      drm.checkAtRest();
      expectNoDma();
    });
  });
});

describe('migration between devices', () => {
  it('of one owner is done by the source, straight into the other memory', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    const [old] = a.live;
    a.copies.length = 0;
    expect(drm.run(b.migrateHere(AREA, 8))).toBe(Errno.OK);
    expect(drm.places(AREA, 8)).toEqual(new Array(8).fill('vram1'));
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect([a.copies, b.copies]).toEqual([['to ram 8'], []]);
    expect(a.released).toEqual([old]);
    expect(a.vram.usedPages).toBe(0);
    drm.checkAtRest();
    expectNoDma();
  });

  it('splits what comes from different places into runs', () => {
    drm.mapFilled(AREA, 12);
    drm.run(munmap(AREA + 6, 2));
    drm.map(AREA + 6, 2);
    drm.run(a.migrateHere(AREA + 2, 4));
    drm.run(a.migrateHere(AREA + 8, 2));
    a.copies.length = 0;
    expect(drm.run(b.migrateHere(AREA, 12))).toBe(Errno.OK);
    expect(b.copies).toEqual(['to devmem 2', 'to devmem 2', 'to devmem 2']);
    expect(a.copies).toEqual(['to ram 4', 'to ram 2']);
    expect(drm.peek(AREA, 12)).toEqual([...numbers(6), 0, 0, ...numbers(4, AREA + 8)]);
    drm.checkAtRest();
    expectNoDma();
  });

  it('is -EFAULT when the peer cannot be reached, and nothing has changed', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    const before = entries(8);
    b.deviceMapsLeft = 3;
    expect(drm.run(b.migrateHere(AREA, 8))).toBe(Errno.EFAULT);
    expect(entries(8)).toEqual(before);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect(b.vram.usedPages).toBe(0);
    drm.checkAtRest();
    expectNoDma();
  });

  it('of different owners is -EBUSY, and goes through RAM', () => {
    use(new DrmMachine({}, [1, 2]));
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    const before = entries(8);
    expect(drm.run(b.migrateHere(AREA, 8))).toBe(Errno.EBUSY);
    expect(entries(8)).toEqual(before);
    expect(drm.run(drm.migrate.evictToRam(a.live[0]))).toBe(Errno.OK);
    expect(drm.run(b.migrateHere(AREA, 8))).toBe(Errno.OK);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    drm.checkAtRest();
  });
});

describe('evict_to_ram', () => {
  let devmem: Devmem;

  beforeEach(() => {
    drm.mapFilled(AREA, 8);
    devmem = a.allocate(8);
    expect(drm.run(a.migrateHere(AREA, 8, {}, devmem))).toBe(Errno.OK);
  });

  it('brings all pages home and detaches the allocation', () => {
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(drm.places(AREA, 8)).toEqual(new Array(8).fill('ram'));
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect(devmem.detached.isDone).toBe(true);
    expect(a.released).toEqual([devmem]);
    expect([drm.zdds.live, drm.mm.users]).toEqual([0, 1]);
    for (const page of numbers(8)) {
      expect(drm.kernel.folios.testFlag(drm.pfnOf(page), FolioFlag.Lru)).toBe(true);
      expect(pteHas(pteOf(drm.mm, page), PteBit.Write)).toBe(true);
    }
    drm.checkAtRest();
    expectNoDma();
  });

  it('needs no mmap_lock', () => {
    const order: string[] = [];
    const holder = function* (): Steps<void> {
      yield* drm.mm.mmapLock.write();
      yield* drm.kernel.sched.sleep(1000);
      order.push('unlocked');
      drm.mm.mmapLock.writeUnlock();
    };
    const evictor = function* (): Steps<void> {
      yield* drm.kernel.sched.sleep(1);
      yield* drm.migrate.evictToRam(devmem);
      order.push('evicted');
    };
    runAll(drm.kernel, [holder(), evictor()]);
    expect(order).toEqual(['evicted', 'unlocked']);
  });

  it('raises CLEAR for each page in the address space that maps it', () => {
    const seen = steps(() => drm.run(drm.migrate.evictToRam(devmem)), 'notifier');
    expect(seen).toEqual(new Array(8).fill(['notifier.invStart', 'notifier.invEnd']).flat());
  });

  it('counts as done when the pages that are left have come home, after part was unmapped', () => {
    drm.run(munmap(AREA + 2, 3));
    expect(drm.zdds.get(zddOf(AREA)).refs).toBe(5);
    expect(a.released).toEqual([]);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(drm.peek(AREA, 8)).toEqual([AREA, AREA + 1, 0, 0, 0, AREA + 5, AREA + 6, AREA + 7]);
    expect(a.released).toEqual([devmem]);
  });

  it('has nothing to do when the last page has gone by itself', () => {
    drm.run(munmap(AREA, 8));
    expect(a.released).toEqual([devmem]);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(a.released).toEqual([devmem]);
  });

  it('leaves alone who got its memory between two tries', () => {
    const pfn = drm.pfnOf(AREA + 3);
    drm.kernel.folios.get(pfn);
    const { home } = drm.migrate;
    const evictPass = home.evictPass.bind(home);
    let passes = 0;
    home.evictPass = function* (evicted) {
      if (++passes === 2) {
        drm.kernel.folios.put(pfn);
        yield* munmap(AREA, 8);
        expect(evicted.detached.isDone).toBe(true);
        expect(yield* a.migrateHere(AREA + 16, 8)).toBe(Errno.OK);
      }
      return yield* evictPass(evicted);
    };
    drm.mapFilled(AREA + 16, 8);
    const pfns = new Uint32Array(8);
    a.populateDevmemPfn(devmem, 8, pfns);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(numbers(8, AREA + 16).map((page) => pfns.includes(drm.pfnOf(page)))).toContain(true);
    expect(new Set(drm.places(AREA + 16, 8))).toEqual(new Set(['vram0']));
    expect([passes, drm.peek(AREA + 16, 8)]).toEqual([2, numbers(8, AREA + 16)]);
    drm.checkAtRest();
  });

  it('is -EFAULT when the address space is going', () => {
    drm.mm.users = 0;
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EFAULT);
    expect(drm.places(AREA, 1)).toEqual(['vram0']);
  });

  it('tries three times before a page that stays pinned makes it -EBUSY; the page stays whole', () => {
    const pfn = drm.pfnOf(AREA + 3);
    const before = pteOf(drm.mm, AREA + 3);
    drm.kernel.folios.get(pfn);
    const givenUp = steps(() => {
      expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EBUSY);
    }, 'migrate').filter((name) => name === 'migrate.giveUp');
    expect(givenUp).toHaveLength(3);
    expect(drm.places(AREA, 8).map((place) => place === 'ram')).toEqual(
      [1, 1, 1, 0, 1, 1, 1, 1].map(Boolean),
    );
    expect(pteOf(drm.mm, AREA + 3)).toBe(before);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    drm.kernel.folios.put(pfn);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    drm.checkAtRest();
  });

  it('succeeds when a page is let go before the last try', () => {
    const pfn = drm.pfnOf(AREA + 3);
    drm.kernel.folios.get(pfn);
    let copies = 0;
    a.onCopy = function* () {
      if (++copies === 1) drm.kernel.folios.put(pfn);
    };
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(copies).toBe(2);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
  });

  it.each<[string, Errno, () => void]>([
    ['-EIO when the copy fails', Errno.EIO, () => (a.copyErrno = Errno.EIO)],
    ['-ENOMEM when RAM cannot be mapped', Errno.ENOMEM, () => (a.mapsLeft = 3)],
    ['-ENOMEM when RAM is full', Errno.ENOMEM, () => (drm.kernel.allocPage = () => 0 as Pfn)],
  ])('is %s, and leaves the pages where they were', (_, errno, spoil) => {
    const before = entries(8);
    spoil();
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(errno);
    expect(entries(8)).toEqual(before);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect(a.released).toEqual([]);
    drm.checkAtRest();
    expectNoDma();
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('and CPU faults on the same pages both succeed (seed %i)', (seed) => {
    use(new DrmMachine({ seed, pagesPerStep: 1 }));
    drm.mapFilled(AREA, 8);
    devmem = a.allocate(8);
    drm.run(a.migrateHere(AREA, 8, {}, devmem));
    const cpus = [drm.cpu, new TestCpu(drm.machine, drm.mm, 1)];
    const touchAll = function* (cpu: TestCpu): Steps<number> {
      let sum = 0;
      for (const page of numbers(8)) sum += yield* cpu.load(page);
      return sum;
    };
    const total = numbers(8).reduce((sum, page) => sum + page, 0);
    const results = runAll<number>(drm.kernel, [drm.migrate.evictToRam(devmem), ...cpus.map(touchAll)]);
    expect(results.slice(1)).toEqual([total, total]);
    expect([Errno.OK, Errno.EBUSY]).toContain(results[0]);
    expect(devmem.released).toBe(true);
    drm.checkAtRest();
    expectNoDma();
  });
});

describe('a CPU fault on device memory', () => {
  it('brings the whole allocation home, within the area', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    expect(drm.run(drm.cpu.load(AREA + 5))).toBe(AREA + 5);
    expect(drm.places(AREA, 8)).toEqual(new Array(8).fill('ram'));
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect([a.vram.usedPages, drm.zdds.live]).toEqual([0, 0]);
    drm.checkAtRest();
    expectNoDma();
  });

  it.each([
    ['below', AREA + 5, 4, 8],
    ['above', AREA + 1, 0, 4],
  ])('does not go beyond the area (%s)', (_, page, first, end) => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(AREA + 4), 4, Prot.Read));
    expect(drm.run(drm.cpu.load(page))).toBe(page);
    const home = Array.from({ length: 8 }, (_unused, i) => (i >= first && i < end ? 'ram' : 'vram0'));
    expect(drm.places(AREA, 8)).toEqual(home);
    drm.checkAtRest();
  });

  it('covers the aligned window of the size of the allocation, wherever that lies', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA + 2, 4));
    drm.run(drm.cpu.load(AREA + 2));
    expect(drm.places(AREA, 8).map((place) => place === 'vram0')).toEqual(
      [0, 0, 0, 0, 1, 1, 0, 0].map(Boolean),
    );
    drm.checkAtRest();
  });

  it('leaves pages of another allocation, RAM and holes in the window exactly as they were', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    drm.run(munmap(AREA + 4, 4));
    drm.map(AREA + 4, 4);
    for (const page of [AREA + 4, AREA + 5]) drm.touch(page);
    drm.run(a.migrateHere(AREA + 4, 1));
    const before = entries(8).slice(4);
    expect(drm.run(drm.cpu.load(AREA))).toBe(AREA);
    expect(drm.places(AREA, 8)).toEqual(['ram', 'ram', 'ram', 'ram', 'vram0', 'ram', 'none', 'none']);
    expect(entries(8).slice(4)).toEqual(before);
    drm.checkAtRest();
  });

  it('does nothing until the timeslice has ended; the CPU faults again and again', () => {
    use(new DrmMachine({ costs: FAULT_COSTS }));
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4, { timesliceNs: 20_000 }));
    const before = drm.kernel.sched.now();
    const seen = steps(() => {
      expect(drm.run(drm.cpu.load(AREA))).toBe(AREA);
    }, 'pagemap').filter((name) => name === stepDefinition(PagemapStep.timeslice).name);
    expect(drm.kernel.sched.now() - before).toBeGreaterThanOrEqual(20_000);
    expect(seen.length).toBeGreaterThan(5);
    expect(drm.places(AREA, 1)).toEqual(['ram']);
  });

  it.each<[string, () => void]>([
    ['the copy fails', () => (a.copyErrno = Errno.EIO)],
    ['RAM cannot be mapped', () => (a.mapsLeft = 3)],
    ['RAM is full', () => (drm.kernel.allocPage = () => 0 as Pfn)],
  ])('kills the access when %s, and the pages stay', (_, spoil) => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    const before = entries(8);
    spoil();
    expect(drm.run(drm.cpu.load(AREA))).toBe(Errno.EFAULT);
    expect(entries(8)).toEqual(before);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    drm.checkAtRest();
    expectNoDma();
  });

  it('leaves a pinned page behind, and the CPU tries again', () => {
    use(new DrmMachine({ costs: FAULT_COSTS }));
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4));
    const pfn = drm.pfnOf(AREA + 1);
    drm.kernel.folios.get(pfn);
    const unpin = function* (): Steps<number> {
      yield* drm.kernel.sched.sleep(50_000);
      expect(drm.places(AREA, 4)).toEqual(['ram', 'vram0', 'ram', 'ram']);
      drm.kernel.folios.put(pfn);
      return 0;
    };
    expect(runAll<number>(drm.kernel, [drm.cpu.load(AREA + 1), unpin()])).toEqual([AREA + 1, 0]);
    drm.checkAtRest();
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('by two threads at the same page ends for both (seed %i)', (seed) => {
    use(new DrmMachine({ seed, pagesPerStep: 1 }));
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4));
    const other = new TestCpu(drm.machine, drm.mm, 1);
    expect(runAll<number>(drm.kernel, [drm.cpu.load(AREA), other.load(AREA)])).toEqual([AREA, AREA]);
    drm.checkAtRest();
  });
});

describe('the life of an allocation', () => {
  it('ends with its last page, however that goes', () => {
    drm.mapFilled(AREA, 8);
    const devmem = a.allocate(8);
    drm.run(a.migrateHere(AREA, 8, {}, devmem));
    drm.run(munmap(AREA, 4));
    drm.run(drm.machine.calls.madvise.madvise(drm.mm, vpn(AREA + 4), 2, 0));
    expect(a.released).toEqual([]);
    drm.run(drm.cpu.load(AREA + 6));
    expect(a.released).toEqual([devmem]);
    expect(a.dpagemap.references).toBe(1);
  });

  it('ends with the address space', () => {
    drm.mapFilled(AREA, 8);
    const devmem = a.allocate(8);
    drm.run(a.migrateHere(AREA, 8, {}, devmem));
    drm.run(drm.machine.calls.exit.mmput(drm.mm));
    expect(a.released).toEqual([devmem]);
    expect([drm.zdds.live, drm.kernel.ram.usedPages]).toEqual([0, 1]);
  });

  it('survives a move of the mapping, which the CPU finds at the new place', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA, 8));
    const args = { from: vpn(AREA), fromPages: 8, toPages: 8, flags: 3, target: vpn(AREA + 64) };
    expect(drm.run(drm.machine.calls.mremap.mremap(drm.mm, args))).toBe(AREA + 64);
    expect(drm.places(AREA + 64, 8)).toEqual(new Array(8).fill('vram0'));
    expect(drm.read(AREA + 64, 8)).toEqual(numbers(8));
    drm.checkAtRest();
  });
});
