/** Devices that join and leave a running address space: what each sees before, meanwhile and afterwards. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { adviseMirror } from '../../src/driver/attributes/mirrorAdvice.js';
import { SvmFlag } from '../../src/driver/attributes/svmAttributes.js';
import { AtomicMode, XeMadvise } from '../../src/driver/attributes/xeMadvise.js';
import { migrateToFaulting, preferDevice, stayInRam } from '../../src/driver/placement.js';
import { prefetchBound } from '../../src/driver/vmBind/prefetchBound.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { AllocSite, FailureInjector } from '../../src/memory/failureInjector.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { fill, findDifference, load, System, type SystemOptions, store } from './harness.js';

const AREA = 0x1000;
const PAGES = 64;

/** The area is full of numbers, and each of `users` has every range of 16 pages bound. */
function mirrored(users: readonly number[], options: SystemOptions = {}): System {
  const system = new System({ devices: 3, policy: stayInRam, ...options });
  system.map(AREA, PAGES);
  expect(system.run(fill(system.cpus[0], AREA, PAGES, 100))).toBe(Errno.OK);
  for (const device of users) touchAll(system, device);
  return system;
}

function touchAll(system: System, device: number): void {
  for (let i = 0; i < PAGES; i += 16) system.run(load(system.context(device), AREA + i));
}

function join(system: System, device: number): Errno {
  return system.run(system.cpus[0].setMembership(device, true));
}

function leave(system: System, device: number): Errno {
  return system.run(system.cpus[0].setMembership(device, false));
}

/** Puts what the steps return at the end of a list. */
function* noted<T>(steps: Steps<T>, results: T[]): Steps<void> {
  results.push(yield* steps);
}

function partsAt(system: System, page: number): number[] {
  return (system.rangeAt(page)?.parts ?? []).map(({ gpu }) => gpu.index);
}

function expectAllThere(system: System): void {
  expect(system.run(findDifference(system.cpus[0], AREA, PAGES, 100))).toBeNull();
  system.checkAtRest();
}

describe('a mirror that is closed', () => {
  it('takes no device, and lets none go', () => {
    const system = mirrored([0]);
    leave(system, 2);
    const [vm] = system.coordinator.vms;
    const [first, , third] = system.coordinator.gpus;
    system.run(vm.close());
    expect(system.run(vm.membership.join(third, true))).toBe(Errno.ENOENT);
    expect(system.run(vm.membership.leave(first))).toBe(Errno.ENOENT);
    expect(vm.gpus.map(({ index }) => index)).toEqual([0, 1]);
  });
});

describe('a device that leaves', () => {
  it('keeps no translation and no DMA mapping, and its faults end with -ENODEV; the others notice nothing', () => {
    const system = mirrored([0, 1]);
    const bound = system.devices[0].gpu.pageTable.entries;
    expect(leave(system, 1)).toBe(Errno.OK);
    expect(system.devices[1].gpu.pageTable.entries).toBe(0);
    expect(system.coordinator.gpus[1].iommu.live).toBe(0);
    expect(system.run(load(system.context(1), AREA))).toBe(Errno.ENODEV);
    expect(system.devices[0].gpu.pageTable.entries).toBe(bound);
    expect(system.run(load(system.context(0), AREA + 5))).toBe(105);
    expectAllThere(system);
    system.tearDown();
  });

  it('takes its pages objects out of the array; the last one that stays has its own inline again', () => {
    const system = mirrored([0, 1]);
    expect(partsAt(system, AREA)).toEqual([0, 1, 2]);
    const kept = system.rangeAt(AREA)?.find(system.coordinator.gpus[0]);
    leave(system, 2);
    expect(partsAt(system, AREA)).toEqual([0, 1]);
    leave(system, 1);
    expect(partsAt(system, AREA)).toEqual([0]);
    expect([system.rangeAt(AREA)?.numPages, system.rangeAt(AREA)?.parts[0]]).toEqual([1, kept]);
    expect(kept?.bound).toBe(true);
    expectAllThere(system);
  });

  it('takes along the ranges that it alone has used, and their notifiers', () => {
    const system = mirrored([1]);
    const [{ gpusvm }] = system.coordinator.vms;
    expect([...gpusvm.allRanges()].length).toBe(4);
    leave(system, 1);
    expect([...gpusvm.allRanges()]).toEqual([]);
    expect(system.coordinator.mm.notifiers.intervals).toBe(0);
    touchAll(system, 0);
    expect(partsAt(system, AREA)).toEqual([0]);
    expectAllThere(system);
    system.tearDown();
  });

  it('gives home the pages in its memory, also those that another device has mapped there', () => {
    const system = mirrored([1, 0], { policy: migrateToFaulting(true) });
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram1']);
    expect(leave(system, 1)).toBe(Errno.OK);
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    expect(system.coordinator.gpus[1].allocations.size).toBe(0);
    expect(system.coordinator.gpus[1].dpagemap?.references).toBe(1);
    expectAllThere(system);
    touchAll(system, 0);
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram0']);
    expectAllThere(system);
    system.tearDown();
  });

  it('is out even when a page that somebody holds stays in its memory, and says so; a fault of the CPU brings it', () => {
    const system = mirrored([1], { policy: migrateToFaulting(false) });
    const pfn = system.coordinator.kernel.memory.layout.vramOf(1).firstPfn;
    const held = [...system.coordinator.gpus[1].allocations][0].pfns[3] as typeof pfn;
    system.folios.get(held);
    expect(leave(system, 1)).toBe(Errno.EBUSY);
    expect(system.run(load(system.context(1), AREA))).toBe(Errno.ENODEV);
    expect([...system.coordinator.gpus[1].allocations].every(({ stranded }) => stranded)).toBe(true);
    system.folios.put(held);
    expectAllThere(system);
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    system.tearDown();
  });

  it('is told nothing, and has nothing bound, by who waited for it to leave', () => {
    const system = mirrored([0, 1]);
    const [vm] = system.coordinator.vms;
    const [gpu] = vm.gpus;
    const deviceVm = vm.deviceVm(gpu);
    const span = { start: AREA, end: AREA + PAGES };
    const advice = { kind: 'atomics', mode: AtomicMode.Device } as const;
    const said = new XeMadvise();
    const errnos: Errno[] = [];
    const read = function* (): Steps<void> {
      yield* vm.vmLock.read();
      yield* system.executor.sleep(1000);
      vm.vmLock.readUnlock();
    };
    const wait = function* (ns: number, request: () => Steps<Errno>): Steps<void> {
      yield* system.executor.sleep(ns);
      errnos.push(yield* request());
    };
    system.runAll<void>([
      read(),
      wait(10, () => vm.membership.leave(gpu)),
      wait(20, () => adviseMirror(vm, gpu, span, advice, said)),
      wait(30, function* () {
        return (yield* deviceVm.bindMirror(span)).errno;
      }),
    ]);
    expect(errnos).toEqual([Errno.OK, Errno.ENODEV, Errno.ENODEV]);
    expect([said.map.size, vm.vmLock.isLocked]).toEqual([0, false]);
  });

  it.each(['n1', 'one-to-one'] as const)(
    'keeps nothing that another device was bringing to it (%s)',
    (layout) => {
      const system = mirrored([], { layout, policy: preferDevice(1) });
      const { vram, gpus } = system.coordinator;
      const right = vram.populate.bind(vram);
      const leaving: Errno[] = [];
      vram.populate = function* (...args) {
        vram.populate = right;
        system.executor.spawn(actorId(0), 'leaving', noted(system.cpus[0].setMembership(1, false), leaving));
        yield* system.executor.sleep(1000);
        return yield* right(...args);
      };
      expect(system.run(load(system.context(0), AREA))).toBe(100);
      expect([leaving, system.placesOf(AREA, PAGES), gpus[1].allocations.size]).toEqual([[0], ['ram'], 0]);
      expectAllThere(system);
      system.tearDown();
    },
  );

  it.each(['n1', 'one-to-one'] as const)(
    'is no place to go to for who waited while it left (%s)',
    (layout) => {
      const system = mirrored([], { layout, policy: preferDevice(1) });
      const { scan } = system.coordinator.gpuFaults.parts.migration;
      const right = scan.scan.bind(scan);
      const leaving: Errno[] = [];
      scan.scan = function* (...args) {
        scan.scan = right;
        system.executor.spawn(actorId(0), 'leaving', noted(system.cpus[0].setMembership(1, false), leaving));
        yield* system.executor.sleep(1000);
        return yield* right(...args);
      };
      expect(system.run(load(system.context(0), AREA))).toBe(100);
      expect([leaving, system.placesOf(AREA, PAGES)]).toEqual([[Errno.OK], ['ram']]);
      expectAllThere(system);
      system.tearDown();
    },
  );

  it('is told that it has left by a fault that waited, whatever it might not have done there', () => {
    const system = mirrored([]);
    const { mirrors, mm, gpuFaults, gpus, vms } = system.coordinator;
    const readOnly = { kind: 'setFlags', flags: SvmFlag.GpuReadOnly } as const;
    mirrors.attributesOf(mm)?.kfd.apply(vpn(AREA), vpn(AREA + 1), [readOnly]);
    const storing = (): Errno => system.run(gpuFaults.handle(vms[0], gpus[1], vpn(AREA), true));
    expect(storing()).toBe(Errno.EPERM);
    leave(system, 1);
    expect(storing()).toBe(Errno.ENODEV);
  });

  it('cannot leave twice, nor join twice, nor if it does not exist', () => {
    const system = mirrored([0]);
    expect(join(system, 1)).toBe(Errno.EEXIST);
    expect(leave(system, 1)).toBe(Errno.OK);
    expect(leave(system, 1)).toBe(Errno.ENODEV);
    expect(join(system, 7)).toBe(Errno.ENODEV);
    expect(join(system, 1)).toBe(Errno.OK);
  });

  it('may be the last one', () => {
    const system = mirrored([0, 1, 2]);
    for (const device of [0, 1, 2]) expect(leave(system, device)).toBe(Errno.OK);
    expect(system.coordinator.vms[0].gpus).toEqual([]);
    expect(system.coordinator.mm.notifiers.intervals).toBe(0);
    expectAllThere(system);
    join(system, 2);
    touchAll(system, 2);
    expect(partsAt(system, AREA)).toEqual([2]);
    expectAllThere(system);
    system.tearDown();
  });
});

describe('a device that joins', () => {
  it('gets a part in every range, with nothing in it, and an inline part becomes an array', () => {
    const system = mirrored([], { devices: 2 });
    leave(system, 1);
    touchAll(system, 0);
    const kept = system.rangeAt(AREA)?.parts[0];
    expect(system.rangeAt(AREA)?.numPages).toBe(1);
    expect(join(system, 1)).toBe(Errno.OK);
    expect(partsAt(system, AREA)).toEqual([0, 1]);
    expect(partsAt(system, AREA + 63)).toEqual([0, 1]);
    expect(system.rangeAt(AREA)?.parts[0]).toBe(kept);
    const joined = system.rangeAt(AREA)?.parts[1];
    expect([joined?.bound, joined?.pages.flags, joined?.pages.dmaAddrs]).toEqual([false, 0, null]);
    expect(system.run(load(system.context(1), AREA + 7))).toBe(107);
    expect(system.run(store(system.context(1), AREA + 7, 107))).toBe(Errno.OK);
    expectAllThere(system);
    system.tearDown();
  });

  it('keeps the order of the devices, whatever the order of their coming', () => {
    const system = mirrored([], { devices: 3 });
    for (const device of [0, 1, 2]) leave(system, device);
    for (const device of [2, 0, 1]) {
      join(system, device);
      touchAll(system, device);
    }
    expect(partsAt(system, AREA)).toEqual([0, 1, 2]);
    expectAllThere(system);
  });

  it('has nothing of what was said to it before', () => {
    const system = mirrored([0, 1]);
    const [{ attributes }] = system.coordinator.vms;
    attributes?.mirrors[1].setPreferred(vpn(AREA), vpn(AREA + 16), 0, false);
    leave(system, 1);
    join(system, 1);
    expect(attributes?.mirrors[1].find(vpn(AREA))).toBeUndefined();
  });

  it('stays out, and all is as before, when there is no memory for the arrays', () => {
    const system = mirrored([0, 1], { devices: 3, notifierPages: 32 });
    leave(system, 2);
    const before = [...system.coordinator.vms[0].gpusvm.allRanges()].length;
    // The second notifier's first range: those of the first have their arrays already.
    const failures = new FailureInjector();
    system.coordinator.kernel.injectFailures(failures);
    failures.failNth(3);
    expect(join(system, 2)).toBe(Errno.ENOMEM);
    expect(failures.lastSite).toBe(AllocSite.MirrorObject);
    expect([...system.coordinator.vms[0].gpusvm.allRanges()].length).toBe(before);
    expect(partsAt(system, AREA)).toEqual([0, 1]);
    expect(partsAt(system, AREA + 48)).toEqual([0, 1]);
    expect(system.run(load(system.context(2), AREA))).toBe(Errno.ENODEV);
    expectAllThere(system);
    expect(join(system, 2)).toBe(Errno.OK);
  });
});

describe('with a mirror per device', () => {
  it('leaving closes the mirror, joining opens another', () => {
    const system = mirrored([0, 1, 2], { layout: 'one-to-one', policy: migrateToFaulting(true) });
    expect(leave(system, 1)).toBe(Errno.OK);
    expect(system.coordinator.vms.map(({ gpus }) => gpus.map(({ index }) => index))).toEqual([[0], [2]]);
    expect(system.run(load(system.context(1), AREA))).toBe(Errno.ENODEV);
    expect(leave(system, 1)).toBe(Errno.ENODEV);
    expect(join(system, 1)).toBe(Errno.OK);
    expect(join(system, 1)).toBe(Errno.EEXIST);
    touchAll(system, 1);
    expectAllThere(system);
    system.tearDown();
  });
});

describe('while everything goes on', () => {
  function* access(system: System, device: number): Steps<void> {
    for (let i = 0; i < PAGES; i += 3) {
      const result = yield* load(system.context(device), AREA + i);
      expect([100 + i, Errno.ENODEV]).toContain(result);
    }
  }

  function* comeAndGo(system: System, device: number, times: number): Steps<void> {
    for (let i = 0; i < times; i++) {
      expect(yield* system.cpus[0].setMembership(device, false)).toBe(Errno.OK);
      expect(yield* system.cpus[0].setMembership(device, true)).toBe(Errno.OK);
    }
  }

  function* invalidate(system: System): Steps<void> {
    for (let i = 0; i + 8 <= PAGES; i += 4) {
      yield* system.cpus[0].mprotect(vpn(AREA + i), 8, 1);
      yield* system.cpus[0].mprotect(vpn(AREA + i), 8, 3);
    }
  }

  const layouts = ['n1', 'n1-shared-fault', 'one-to-one'] as const;
  const seeds = Array.from({ length: 40 }, (_, i) => 1 + i);

  it.each(seeds)('two of three come and go under invalidations (seed %i)', (seed) => {
    const layout = layouts[seed % layouts.length];
    const policy = seed % 2 === 0 ? stayInRam : migrateToFaulting(seed % 3 === 0);
    const system = mirrored([0, 1, 2], { seed, layout, policy, pagesPerStep: 4, notifierPages: 16 });
    system.runAll([
      access(system, 0),
      access(system, 1),
      access(system, 2),
      comeAndGo(system, 1, 4),
      comeAndGo(system, 2, 4),
      invalidate(system),
    ]);
    expectAllThere(system);
    touchAll(system, 1);
    expectAllThere(system);
    system.tearDown();
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'a range that is unmapped meanwhile is unmapped for the newcomer (seed %i)',
    (seed) => {
      const system = mirrored([0, 1], { seed });
      leave(system, 2);
      const unmap = function* (): Steps<void> {
        for (let i = 0; i < PAGES; i += 16) yield* system.cpus[0].munmap(vpn(AREA + i), 8);
      };
      const wrong: string[] = [];
      system.onEachStep = () => {
        for (const range of system.coordinator.vms[0].gpusvm.allRanges()) {
          const parts = system.rangeAt(range.start)?.parts ?? [];
          if (parts.some(({ pages }) => pages.has(PagesFlag.Unmapped) !== range.unmapped))
            wrong.push(`${range.start}`);
        }
      };
      system.runAll([unmap(), comeAndGo(system, 1, 3)]);
      expect(wrong).toEqual([]);
      system.checkAtRest();
      expect(system.run(load(system.context(1), AREA + 9))).toBe(109);
      expect(system.run(load(system.context(1), AREA + 3))).toBe(Errno.EFAULT);
      system.tearDown();
    },
  );
});

describe('what somebody keeps of a device that has left', () => {
  const SPAN = { start: AREA, end: AREA + 4 };

  it.each([false, true])('cannot be changed any more (comes back: %s)', (comesBack) => {
    const system = new System();
    const [gpu] = system.coordinator.gpus;
    const vm = system.coordinator.vmOf(gpu);
    const kept = vm.deviceVm(gpu);
    expect(leave(system, 0)).toBe(Errno.OK);
    if (comesBack) expect(join(system, 0)).toBe(Errno.OK);
    for (const change of [kept.bindSparse(SPAN), kept.bindMirror(SPAN), kept.unbind(SPAN)])
      expect(system.run(change)).toEqual({ errno: Errno.ENODEV, ops: [] });
    if (comesBack) expect(vm.deviceVm(gpu).vaAt(AREA)?.kind).toBe('mirror');
    system.tearDown();
  });

  it('is not prefetched when it leaves while the lock is waited for', () => {
    const system = new System();
    const [gpu] = system.coordinator.gpus;
    const vm = system.coordinator.vmOf(gpu);
    system.run(vm.deviceVm(gpu).bindSparse(SPAN));
    const hold = function* (): Steps<Errno> {
      yield* vm.vmLock.write();
      yield* system.executor.sleep(3);
      vm.vmLock.writeUnlock();
      return Errno.OK;
    };
    const later = function* (ns: number, ask: () => Steps<Errno>): Steps<Errno> {
      yield* system.executor.sleep(ns);
      return yield* ask();
    };
    const leaving = later(1, () => vm.membership.leave(gpu));
    const prefetch = later(2, () => prefetchBound(vm, gpu, SPAN));
    expect(system.runAll([hold(), leaving, prefetch])).toEqual([Errno.OK, Errno.OK, Errno.ENODEV]);
    system.tearDown();
  });
});
