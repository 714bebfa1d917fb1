/** The GPU fault handler: what an access of a device ends in, for every state of the memory, and that the bytes are right. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { NO_GPU_COSTS } from '../../../src/device/gpuConfig.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { migrateToFaulting, preferDevice, stayInRam } from '../../../src/driver/placement.js';
import type { PageArrayId } from '../../../src/memory/pageArrays.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import type { Steps } from '../../../src/sim/steps.js';
import { fill, findDifference, increment, load, System, type SystemOptions, store } from '../harness.js';

const AREA = 0x1000;
const RW = Prot.Read | Prot.Write;

/** A system with `npages` that the CPU has filled: page i holds `100 + i`. */
function filled(options: SystemOptions = {}, npages = 16): System {
  const system = new System(options);
  system.map(AREA, npages);
  expect(system.run(fill(system.cpus[0], AREA, npages, 100))).toBe(Errno.OK);
  return system;
}

function count(system: System, name: string): number {
  return system.seen.filter((step) => step.name === name).length;
}

function protect(system: System, start: number, npages: number, prot: number): void {
  expect(system.run(system.cpus[0].mprotect(vpn(start), npages, prot))).toBe(Errno.OK);
}

describe.each(['n1', 'one-to-one'] as const)('%s: an access of a device', (layout) => {
  it('reads and writes RAM where the policy leaves it there', () => {
    const system = filled({ layout, policy: stayInRam });
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.run(store(system.context(1), AREA + 5, 7))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 5))).toBe(7);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    expect(system.devices[0].gpu.mmu.counters.systemAccesses).toBeGreaterThan(0);
    system.checkAtRest();
    system.tearDown();
  });

  it('moves the range to the device that faults, and the CPU sees what it wrote', () => {
    const system = filled({ layout });
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(fill(system.context(0), AREA, 16, 500))).toBe(Errno.OK);
    system.checkAtRest();
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 500))).toBe(null);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    system.checkAtRest();
    system.tearDown();
  });

  it('moves it on to the next device', () => {
    const system = filled({ layout, devices: 3 });
    for (const device of [0, 1, 2, 0]) {
      expect(system.run(findDifference(system.context(device), AREA, 16, 100 + device))).toBe(null);
      expect(system.run(fill(system.context(device), AREA, 16, 100 + ((device + 1) % 3)))).toBe(Errno.OK);
      expect(system.placesOf(AREA, 16)).toEqual([`vram${device}`]);
      system.checkAtRest();
    }
    system.tearDown();
  });

  it('goes through RAM between devices that do not reach one another', () => {
    const system = filled({ layout, interconnect: 'none' });
    for (const device of [0, 1, 0]) {
      expect(system.run(findDifference(system.context(device), AREA, 16, 100))).toBe(null);
      expect(system.placesOf(AREA, 16)).toEqual([`vram${device}`]);
      system.checkAtRest();
    }
    expect(system.devices.map(({ gpu }) => gpu.copyEngine.counters.peerBytes)).toEqual([0, 0]);
    system.tearDown();
  });

  it('leaves memory with a peer, and uses it there, where only RAM is to move', () => {
    const system = filled({ layout, policy: migrateToFaulting(true) });
    system.run(load(system.context(0), AREA));
    expect(system.run(fill(system.context(1), AREA, 16, 300))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.devices[1].gpu.mmu.counters.peerAccesses).toBeGreaterThan(0);
    system.checkAtRest();
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 300))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it.each(['peer', 'none'] as const)(
    'uses the preferred device, or RAM if it cannot (%s)',
    (interconnect) => {
      const system = filled({ layout, interconnect, policy: preferDevice(1) });
      expect(system.run(fill(system.context(0), AREA, 16, 300))).toBe(Errno.OK);
      expect(system.placesOf(AREA, 16)).toEqual([interconnect === 'peer' ? 'vram1' : 'ram']);
      expect(system.run(findDifference(system.context(1), AREA, 16, 300))).toBe(null);
      expect(system.placesOf(AREA, 16)).toEqual(['vram1']);
      system.checkAtRest();
      system.tearDown();
    },
  );

  it.each([migrateToFaulting(false), stayInRam])(
    'finds zeros in memory that nobody has touched ($name)',
    (policy) => {
      const system = new System({ layout, policy });
      system.map(AREA, 16);
      expect(system.run(load(system.context(0), AREA + 1))).toBe(0);
      expect(system.run(store(system.context(0), AREA + 2, 9))).toBe(Errno.OK);
      expect([1, 2, 3].map((i) => system.run(load(system.cpus[0], AREA + i)))).toEqual([0, 9, 0]);
      system.checkAtRest();
      system.tearDown();
    },
  );

  it.each([
    ['RAM', stayInRam],
    ['device memory', migrateToFaulting(false)],
  ])('finds zeros again after the CPU has thrown %s away', (_, policy) => {
    const system = filled({ layout, policy });
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.run(system.cpus[0].madvise(vpn(AREA + 4), 4, 0))).toBe(Errno.OK);
    const read = [3, 4, 7, 8].map((i) => system.run(load(system.context(0), AREA + i)));
    expect(read).toEqual([103, 0, 0, 108]);
    system.checkAtRest();
    system.tearDown();
  });

  it('is -EFAULT where nothing is mapped, or nothing may be accessed', () => {
    const system = filled({ layout });
    protect(system, AREA + 8, 8, Prot.None);
    expect(system.run(load(system.context(0), AREA + 16))).toBe(Errno.EFAULT);
    expect(system.run(store(system.context(0), AREA + 16, 1))).toBe(Errno.EFAULT);
    expect(system.run(load(system.context(0), AREA + 9))).toBe(Errno.EFAULT);
    expect(count(system, 'driver.retry')).toBeLessThan(5);
    expect(system.run(store(system.context(0), AREA + 1, 1))).toBe(Errno.OK);
    system.checkAtRest();
    system.tearDown();
  });

  it('brings a read-only area to its memory and may read it, but a store is -EPERM', () => {
    const system = filled({ layout });
    protect(system, AREA, 16, Prot.Read);
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(store(system.context(0), AREA, 1))).toBe(Errno.EPERM);
    system.checkAtRest();
    system.tearDown();
  });

  it('may store once the area is writable again', () => {
    const system = filled({ layout });
    protect(system, AREA, 16, Prot.Read);
    expect(system.run(load(system.context(0), AREA + 3))).toBe(103);
    protect(system, AREA, 16, RW);
    expect(system.run(store(system.context(0), AREA + 3, 9))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 3))).toBe(9);
    system.checkAtRest();
    system.tearDown();
  });

  it('may store to device memory that was read-only in between', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA + 3, 8))).toBe(Errno.OK);
    protect(system, AREA, 16, Prot.Read);
    expect(system.run(store(system.context(0), AREA + 3, 9))).toBe(Errno.EPERM);
    expect(system.run(load(system.context(0), AREA + 3))).toBe(8);
    system.checkAtRest();
    protect(system, AREA, 16, RW);
    expect(system.run(store(system.context(0), AREA + 3, 9))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 3))).toBe(9);
    system.checkAtRest();
    system.tearDown();
  });

  it('keeps to the rights of each part when part of a range becomes read-only', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 1))).toBe(Errno.OK);
    protect(system, AREA + 8, 8, Prot.Read);
    expect(system.run(load(system.context(1), AREA + 9))).toBe(109);
    expect(system.run(store(system.context(0), AREA + 9, 1))).toBe(Errno.EPERM);
    expect(system.run(store(system.context(0), AREA + 7, 1))).toBe(Errno.OK);
    expect(system.run(load(system.context(0), AREA + 6))).toBe(106);
    expect(system.run(load(system.context(0), AREA + 15))).toBe(115);
    expect(count(system, 'driver.retry')).toBeLessThan(20);
    system.checkAtRest();
    system.tearDown();
  });

  it('reaches what is left when part of a range may no longer be accessed', () => {
    const system = filled({ layout });
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.run(load(system.context(1), AREA))).toBe(100);
    protect(system, AREA + 8, 8, Prot.None);
    expect(system.run(load(system.context(0), AREA + 1))).toBe(101);
    expect(system.run(load(system.context(0), AREA + 9))).toBe(Errno.EFAULT);
    protect(system, AREA + 8, 8, RW);
    expect(system.run(load(system.context(1), AREA + 9))).toBe(109);
    expect(count(system, 'driver.retry')).toBeLessThan(20);
    system.checkAtRest();
    system.tearDown();
  });

  it('finds new memory where the old was replaced, and the old at its new place', () => {
    const system = filled({ layout });
    expect(system.run(load(system.context(0), AREA + 3))).toBe(103);
    expect(system.run(system.cpus[0].mremap(vpn(AREA), 16, 16, 3, vpn(AREA + 64)))).toBe(AREA + 64);
    system.map(AREA, 16);
    expect(system.run(load(system.context(0), AREA + 3))).toBe(0);
    expect(system.run(findDifference(system.context(0), AREA + 64, 16, 100))).toBe(null);
    system.checkAtRest();
    system.map(AREA, 16);
    expect(system.run(load(system.context(0), AREA + 3))).toBe(0);
    system.checkAtRest();
    system.tearDown();
  });

  it('stays in RAM when the range is larger than the memory of the device', () => {
    const system = filled({ layout, vramPages: 8 });
    expect(system.run(fill(system.context(0), AREA, 16, 300))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 300))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it('fails with -ENOMEM when RAM is full and the memory was never touched', () => {
    const system = new System({ layout, ramPages: 8, policy: stayInRam });
    system.map(AREA, 16);
    expect(system.run(store(system.context(0), AREA, 1))).toBe(Errno.ENOMEM);
    system.checkAtRest();
    system.tearDown();
  });

  it('makes ranges only of what the CPU has touched, below the threshold', () => {
    const system = filled({ layout, checkPagesThreshold: 16 }, 8);
    system.map(AREA + 8, 8);
    expect(system.run(load(system.context(0), AREA + 1))).toBe(101);
    expect(system.rangeAt(AREA + 1)?.npages).toBe(1);
    expect(system.placesOf(AREA + 8, 8)).toEqual(['none']);
    system.checkAtRest();
    system.tearDown();
  });

  it('finds the work done when another fault was faster', () => {
    const system = filled({ layout });
    const [first, second] = [system.context(0, 0), system.context(0, 1)];
    expect(system.runAll([load(first, AREA), load(second, AREA + 15)])).toEqual([100, 115]);
    expect(count(system, 'driver.spurious')).toBeGreaterThan(0);
    expect(count(system, 'pagemap.toDevmem')).toBe(1);
    system.checkAtRest();
  });
});

describe('two devices at one range', () => {
  const runs = [1, 2, 3, 4, 5].flatMap((seed) =>
    (['n1', 'one-to-one'] as const).flatMap((layout) =>
      (['peer', 'none'] as const).map((interconnect) => ({ seed, layout, interconnect })),
    ),
  );

  it.each(runs)('both get there, and no store is lost (seed $seed, $layout, $interconnect)', (run) => {
    const system = filled({ ...run, pagesPerStep: 4 });
    const add = function* (device: number): Steps<Errno> {
      for (let i = 0; i < 16; i++) {
        const errno = yield* increment(system.context(device), AREA + i, 1 + device);
        if (errno !== Errno.OK) return errno;
      }
      return Errno.OK;
    };
    expect(system.runAll([add(0), add(1), add(0), add(1)])).toEqual(new Array(4).fill(Errno.OK));
    system.checkAtRest();
    const sums = [1, 2].map((word) =>
      Array.from({ length: 16 }, (_, i) => system.run(load(system.cpus[0], AREA + i, word))),
    );
    expect(sums).toEqual([new Array(16).fill(2), new Array(16).fill(2)]);
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 100))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('devices that take a range from one another', () => {
  it.each(['peer', 'none'] as const)('all get their turn, however slow a bind is (%s)', (interconnect) => {
    const gpuCosts = { ...NO_GPU_COSTS, bindNs: 20_000, tlbInvalidateNs: 100 };
    const system = filled({ devices: 3, interconnect, gpuCosts });
    const add = function* (device: number): Steps<void> {
      for (let i = 0; i < 16; i++) yield* increment(system.context(device), AREA + i, 1);
    };
    system.runAll([add(0), add(1), add(2)]);
    expect(system.executor.steps).toBeLessThan(100_000);
    const sums = Array.from({ length: 16 }, (_, i) => system.run(load(system.cpus[0], AREA + i, 1)));
    expect(sums).toEqual(new Array(16).fill(3));
    system.checkAtRest();
  });
});

describe('the commit rule', () => {
  it('nothing is bound that was invalidated after it was mapped; the fault looks again', () => {
    const system = filled({ policy: stayInRam });
    const { arrays } = system.coordinator;
    const lent: PageArrayId[] = [];
    // Without an array the fault waits between mapping and binding.
    const borrowAll = function* (): Steps<void> {
      while (lent.length < arrays.arrays.count) lent.push(yield* arrays.borrow());
    };
    system.run(borrowAll());
    const disturb = function* (): Steps<number> {
      while (count(system, 'gpusvm.mapped') === 0) yield* system.executor.sleep(1);
      const errno = yield* system.cpus[0].madvise(vpn(AREA), 16, 0);
      for (const id of lent) arrays.giveBack(id);
      return errno;
    };
    expect(system.runAll<number>([load(system.context(0), AREA), disturb()])).toEqual([0, Errno.OK]);
    const retries = system.seen.filter(({ name }) => name === 'driver.retry');
    expect(retries.map(({ args }) => args[2])).toEqual([Errno.EAGAIN]);
    expect(count(system, 'device.bind')).toBe(1);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('a bind that the device refuses', () => {
  it('ends the access with its error, and the device has nothing', () => {
    const system = filled({ policy: stayInRam });
    system.devices[0].gpu.bind = () => Errno.ENOMEM;
    expect(system.run(store(system.context(0), AREA, 1))).toBe(Errno.ENOMEM);
    const part = system.rangeAt(AREA)?.parts[0];
    expect([part?.bound, system.devices[0].gpu.pageTable.entries]).toEqual([false, 0]);
    expect(system.run(load(system.context(1), AREA))).toBe(100);
    expect(system.run(system.cpus[0].madvise(vpn(AREA), 16, 0))).toBe(Errno.OK);
    system.checkAtRest();
    system.tearDown();
  });

  it('brings nothing back that an invalidation has taken meanwhile', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const system = filled({ seed, policy: preferDevice(0) });
      const { coordinator, devices } = system;
      const [vm] = coordinator.vms;
      const [, second] = coordinator.gpus;
      expect(system.run(load(system.context(1), AREA))).toBe(100);
      const { gpu } = devices[1];
      const bind = gpu.bind.bind(gpu);
      gpu.bind = () => Errno.ENOMEM;
      // Pages on another device stay there, so that they are bound once more.
      const again = coordinator.prefetches.toDevice(vm, second, vpn(AREA), migrateToFaulting(true));
      system.runAll<number>([again, system.cpus[0].madvise(vpn(AREA), 16, 0)]);
      const part = system.rangeAt(AREA)?.find(second);
      expect([part?.bound, gpu.pageTable.entries]).toEqual([false, 0]);
      gpu.bind = bind;
      expect(system.run(load(system.context(1), AREA))).toBe(0);
      system.tearDown();
    }
  });
});

describe('N:1 against 1:1', () => {
  it('shares ranges, notifiers and callbacks among the devices', () => {
    const counts = (['n1', 'one-to-one'] as const).map((layout) => {
      const system = filled({ layout, devices: 4, policy: stayInRam });
      for (let device = 0; device < 4; device++) system.run(load(system.context(device), AREA));
      system.seen.length = 0;
      system.run(system.cpus[0].munmap(vpn(AREA), 1));
      const ranges = system.coordinator.vms.map(({ gpusvm }) => gpusvm);
      system.checkAtRest();
      return {
        mirrors: ranges.length,
        callbacks: count(system, 'notifier.callback'),
        marked: count(system, 'gpusvm.setUnmapped'),
        flushed: count(system, 'driver.tlbInvalidated'),
      };
    });
    expect(counts).toEqual([
      { mirrors: 1, callbacks: 1, marked: 1, flushed: 4 },
      { mirrors: 4, callbacks: 4, marked: 4, flushed: 4 },
    ]);
  });

  it('grows a range from one device to all when a second one joins', () => {
    const system = filled({ devices: 3, policy: stayInRam });
    system.run(load(system.context(1), AREA));
    const range = system.rangeAt(AREA);
    expect([range?.numPages, range?.parts.map(({ gpu }) => gpu.index)]).toEqual([1, [1]]);
    const part = range?.parts[0];
    system.run(load(system.context(2), AREA));
    expect([range?.numPages, range?.parts.map(({ gpu }) => gpu.index)]).toEqual([3, [0, 1, 2]]);
    expect(range?.parts[1]).toBe(part);
    expect(range?.parts.map(({ bound }) => bound)).toEqual([false, true, true]);
    system.checkAtRest();
  });
});

describe('time', () => {
  const costs = { cpuFaultNs: 1000, migratePageNs: 100, hmmPageNs: 10, tlbShootdownNs: 100, syscallNs: 100 };

  it('the CPU gets a page back when the timeslice of the device has ended', () => {
    const system = filled({ costs, timesliceNs: 100_000 });
    expect(system.run(store(system.context(0), AREA, 5))).toBe(Errno.OK);
    const before = system.executor.now();
    expect(system.run(load(system.cpus[0], AREA))).toBe(5);
    expect(system.executor.now() - before).toBeGreaterThan(90_000);
    expect(count(system, 'pagemap.timeslice')).toBeGreaterThan(10);
    system.checkAtRest();
  });

  it('so it does where faults cost nothing', () => {
    const system = filled({ timesliceNs: 100_000 });
    expect(system.run(store(system.context(0), AREA, 5))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA))).toBe(5);
    expect(system.executor.now()).toBeGreaterThan(90_000);
    system.checkAtRest();
  });

  it('so does a device that may not use the page where it is', () => {
    const system = filled({ costs, timesliceNs: 100_000, interconnect: 'none' });
    expect(system.run(store(system.context(0), AREA, 5))).toBe(Errno.OK);
    expect(system.run(load(system.context(1), AREA))).toBe(5);
    expect(system.placesOf(AREA, 16)).toEqual(['vram1']);
    system.checkAtRest();
  });
});

describe('an error of get_pages', () => {
  /** The first call ends with the error, later ones do their work. */
  function failOnce(system: System, errno: Errno): void {
    const { dma } = system.coordinator.vms[0];
    const getPages = dma.getPages.bind(dma);
    let left = 1;
    dma.getPages = function* (...args) {
      if (left-- > 0) return errno;
      return yield* getPages(...args);
    };
  }

  it.each([Errno.EBUSY, Errno.EFAULT, Errno.EPERM, Errno.EOPNOTSUPP])('is tried again after %i', (errno) => {
    const system = filled();
    failOnce(system, errno);
    expect(system.run(store(system.context(0), AREA, 5))).toBe(Errno.OK);
    expect(count(system, 'driver.retry')).toBe(1);
    system.checkAtRest();
  });

  it.each([Errno.ENOMEM, Errno.EINTR])('ends the access with %i', (errno) => {
    const system = filled();
    failOnce(system, errno);
    expect(system.run(store(system.context(0), AREA, 5))).toBe(errno);
    system.checkAtRest();
  });
});

describe('a fault during which its memory goes and other memory comes', () => {
  /** The first attempt at the pages is overtaken by the process. */
  function replacedMeanwhile(system: System): void {
    const { calls, gpuFaults, mm } = system.coordinator;
    const { binding } = gpuFaults.parts;
    const right = binding.getPages.bind(binding);
    binding.getPages = function* () {
      binding.getPages = right;
      yield* calls.memoryMap.mmap(mm, { hint: vpn(AREA), npages: 16, prot: RW, flags: MapFlag.Fixed });
      return Errno.EBUSY;
    };
  }

  it('forgets what was said of what has gone', () => {
    const system = filled();
    const said = system.coordinator.mirrors.attributesOf(system.coordinator.mm)?.mirrors[0];
    said?.setPreferred(vpn(AREA), vpn(AREA + 16), Location.System, false);
    replacedMeanwhile(system);
    expect(system.run(store(system.context(0), AREA, 7))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(load(system.cpus[0], AREA))).toBe(7);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('prefetch', () => {
  it('moves a range to a device and binds it there, so that no access faults', () => {
    const system = filled();
    const { coordinator } = system;
    const [gpu] = coordinator.gpus;
    const prefetch = coordinator.prefetches.toDevice(coordinator.vmOf(gpu), gpu, vpn(AREA));
    expect(system.run(prefetch)).toBe(AREA + 16);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.devices[0].gpu.faults.counters.raised).toBe(0);
    system.checkAtRest();
    system.tearDown();
  });

  it('brings a range home', () => {
    const system = filled();
    const { coordinator } = system;
    system.run(load(system.context(0), AREA));
    expect(system.run(coordinator.prefetches.toRam(coordinator.vms[0], vpn(AREA)))).toBe(AREA + 16);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    expect(system.run(coordinator.prefetches.toRam(coordinator.vms[0], vpn(AREA + 20)))).toBe(
      TASK_SIZE_PAGES,
    );
    system.checkAtRest();
    system.tearDown();
  });

  it.each([
    [9, AREA + 16],
    [10, Errno.ETIME],
  ])('brings a range home though others invalidate it for a second, %i times', (times, result) => {
    const system = filled();
    system.run(load(system.context(0), AREA));
    const { coordinator } = system;
    const [vm] = coordinator.vms;
    const right = vm.evictRange.bind(vm);
    let left = times;
    vm.evictRange = function* (range) {
      return left-- > 0 ? Errno.ETIME : yield* right(range);
    };
    expect(system.run(coordinator.prefetches.toRam(vm, vpn(AREA)))).toBe(result);
    expect(system.placesOf(AREA, 16)).toEqual([result === Errno.ETIME ? 'vram0' : 'ram']);
    system.checkAtRest();
  });

  it('brings home what has no range, and a device that wants it again gets it', () => {
    const system = filled();
    system.run(load(system.context(0), AREA));
    const { coordinator } = system;
    const [vm] = coordinator.vms;
    const removed = system.rangeAt(AREA);
    if (removed === null) throw new Error('no range');
    system.run(
      (function* (): Steps<void> {
        vm.collector.add(removed);
      })(),
    );
    expect([system.rangeAt(AREA), system.placesOf(AREA, 16)]).toEqual([null, ['vram0']]);
    expect(system.run(coordinator.prefetches.toRam(vm, vpn(AREA)))).toBe(AREA + 16);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    system.checkAtRest();
    system.tearDown();
  });

  it('makes no range in a mirror whose only device left before its turn came', () => {
    const system = filled({ layout: 'one-to-one' });
    const { coordinator } = system;
    const [gpu] = coordinator.gpus;
    system.run(load(system.context(0), AREA));
    const vm = coordinator.vmOf(gpu);
    expect(system.run(coordinator.mirrors.leave(coordinator.mm, gpu))).toBe(Errno.OK);
    expect(system.run(coordinator.prefetches.toRam(vm, vpn(AREA)))).toBe(TASK_SIZE_PAGES);
    expect([vm.gpusvm.ranges.size, vm.gpusvm.notifiers.size]).toEqual([0, 0]);
    system.checkAtRest();
    system.tearDown();
  });
});
