/** Prefetches: what gets where it is asked for, with and without ranges, what is bound then, and what an error on the way leaves. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { type PlacementPolicy, preferDevice, stayInRam } from '../../../src/driver/placement.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import { fill, findDifference, load, System, type SystemOptions, store } from '../harness.js';

const AREA = 0x1000;
const RAM = -1;
const layouts = ['n1', 'one-to-one'] as const;

/** 48 pages that the CPU has filled: page i holds `100 + i`. */
function filled(options: SystemOptions = {}): System {
  const system = new System(options);
  system.map(AREA, 48);
  expect(system.run(fill(system.cpus[0], AREA, 48, 100))).toBe(Errno.OK);
  return system;
}

function prefetch(system: System, target: number, first = 0, npages = 48): Errno {
  return system.run(system.cpus[0].prefetch(vpn(AREA + first), npages, target, 1));
}

/** As a program asks of one device: where the policy of each page, counted from the first of the area, wants it, and bound for that device. */
function prefetchFor(system: System, device: number, policyAt: (page: number) => PlacementPolicy): Errno {
  const { coordinator } = system;
  const gpu = coordinator.gpus[device];
  const vm = coordinator.vmOf(gpu);
  const span = { start: vpn(AREA), end: vpn(AREA + 48) };
  const policyOf = (page: number): PlacementPolicy => policyAt(page - AREA);
  return system.run(coordinator.spanPrefetches.run({ vm, gpu, ...span, policyOf }));
}

function faultsOf(system: System, device: number): number {
  return system.devices[device].gpu.faults.counters.raised;
}

/** Which pages the device has entries for, counted from the first of the area. */
function boundPages(system: System, device: number): number[] {
  const pages: number[] = [];
  system.devices[device].gpu.pageTable.forEach((page) => {
    pages.push((page % TASK_SIZE_PAGES) - AREA);
  });
  return pages.sort((a, b) => a - b);
}

/** The call of get_pages with that number ends with the error. */
function failGetPages(system: System, errno: Errno, from: number): void {
  for (const { dma } of system.coordinator.vms) {
    const getPages = dma.getPages.bind(dma);
    let calls = 0;
    dma.getPages = function* (...args) {
      calls++;
      return calls === from ? errno : yield* getPages(...args);
    };
  }
}

function finish(system: System): void {
  system.checkAtRest();
  system.tearDown();
}

describe.each(layouts)('%s: a prefetch of the process to RAM', (layout) => {
  it('brings home what a range has left in device memory when part of it was unmapped', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 100))).toBe(Errno.OK);
    expect(system.run(system.cpus[0].munmap(vpn(AREA), 4))).toBe(Errno.OK);
    expect([system.rangeAt(AREA + 4), system.placesOf(AREA + 4, 12)]).toEqual([null, ['vram0']]);
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect(system.placesOf(AREA + 4, 44)).toEqual(['ram']);
    expect(system.run(findDifference(system.cpus[0], AREA + 4, 44, 104))).toBe(null);
    finish(system);
  });

  it('brings home what nobody may read any more, and what lies behind it', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 100))).toBe(Errno.OK);
    expect(system.run(store(system.context(1), AREA + 32, 132))).toBe(Errno.OK);
    // A range of device 0 reaches from what may be read into what may not.
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 8, 0))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['vram0', 'ram', 'vram1']);
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['ram']);
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 8, Prot.Read | Prot.Write))).toBe(Errno.OK);
    expect(system.run(findDifference(system.cpus[0], AREA, 48, 100))).toBe(null);
    finish(system);
  });

  it('passes over what nobody may read where nothing has to come home', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 100))).toBe(Errno.OK);
    expect(prefetch(system, RAM, 0, 16)).toBe(Errno.OK);
    expect(system.run(store(system.context(0), AREA + 16, 116))).toBe(Errno.OK);
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 8, 0))).toBe(Errno.OK);
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['ram']);
    finish(system);
  });

  it('makes no range for what is there already', () => {
    const system = filled({ layout });
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect([...system.coordinator.vms[0].gpusvm.allRanges()]).toEqual([]);
    finish(system);
  });
});

describe.each(layouts)('%s: a prefetch for a device', (layout) => {
  it('to RAM brings home what has lost its range, and binds all of it', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 100))).toBe(Errno.OK);
    expect(system.run(system.cpus[0].munmap(vpn(AREA), 4))).toBe(Errno.OK);
    expect(prefetchFor(system, 0, () => stayInRam)).toBe(Errno.OK);
    expect(system.placesOf(AREA + 4, 44)).toEqual(['ram']);
    const before = faultsOf(system, 0);
    expect(system.run(findDifference(system.context(0), AREA + 4, 44, 104))).toBe(null);
    expect(faultsOf(system, 0)).toBe(before);
    finish(system);
  });

  it('to RAM brings home what another device has', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(1), AREA, 100))).toBe(Errno.OK);
    expect(prefetchFor(system, 0, () => stayInRam)).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['ram']);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    expect(faultsOf(system, 0)).toBe(0);
    finish(system);
  });

  it('makes ranges of what nobody has touched as large as they may be', () => {
    const system = new System({ layout, checkPagesThreshold: 16 });
    system.map(AREA, 48);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    const ranges = [...system.coordinator.vms[0].gpusvm.allRanges()];
    expect(ranges.map(({ start, npages }) => [start - AREA, npages])).toEqual([
      [0, 16],
      [16, 16],
      [32, 16],
    ]);
    expect(system.placesOf(AREA, 48)).toEqual(['vram0']);
    finish(system);
  });

  it('leaves alone what the device has where it should be', () => {
    const system = filled({ layout });
    expect(prefetch(system, 0)).toBe(Errno.OK);
    system.seen.length = 0;
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(system.trace(['device.bind', 'driver.migrate', 'gpusvm.mapped'])).toEqual([]);
    finish(system);
  });

  it('maps for reading what may only be read', () => {
    const system = filled({ layout });
    expect(system.run(system.cpus[0].mprotect(vpn(AREA + 16), 16, Prot.Read))).toBe(Errno.OK);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    expect(faultsOf(system, 0)).toBe(0);
    expect(system.run(store(system.context(0), AREA + 20, 1))).toBe(Errno.EPERM);
    finish(system);
  });
});

describe.each(layouts)('%s: a prefetch of ranges that migrate together', (layout) => {
  /** First page, counted from the first of the area, and number of pages of each migration that was tried. */
  function migrations(system: System): number[][] {
    return system.seen
      .filter(({ name }) => name === 'driver.migrate')
      .map(({ args: [start, npages] }) => [start - AREA, npages]);
  }

  function prefetched(system: System): number[][] {
    system.seen.length = 0;
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['vram0']);
    expect(boundPages(system, 0)).toHaveLength(48);
    const tried = migrations(system);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    expect(faultsOf(system, 0)).toBe(0);
    finish(system);
    return tried;
  }

  it('makes one migration of each aligned block of them', () => {
    expect(prefetched(filled({ layout, togetherPages: 512 }))).toEqual([
      [0, 32],
      [32, 16],
    ]);
  });

  it('takes no more at once than it may', () => {
    expect(prefetched(filled({ layout, togetherPages: 31 }))).toEqual([
      [0, 16],
      [16, 16],
      [32, 16],
    ]);
  });

  it('brings a block home as a whole when the CPU needs a part of it', () => {
    const system = filled({ layout, togetherPages: 512 });
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 20))).toBe(120);
    expect([system.placesOf(AREA, 32), system.placesOf(AREA + 32, 16)]).toEqual([['ram'], ['vram0']]);
    finish(system);
  });

  it('does not cross the end of an area', () => {
    const system = filled({ layout, togetherPages: 512 });
    expect(system.run(system.cpus[0].mprotect(vpn(AREA + 16), 32, Prot.Read))).toBe(Errno.OK);
    expect(prefetched(system)).toEqual([
      [0, 16],
      [16, 16],
      [32, 16],
    ]);
  });

  it('leaves out what is there already', () => {
    const system = filled({ layout, togetherPages: 512 });
    expect(system.run(system.cpus[0].prefetch(vpn(AREA + 16), 16, 0, 1))).toBe(Errno.OK);
    // It loses its binding, and its pages stay where they are.
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 48, Prot.Read))).toBe(Errno.OK);
    expect(prefetched(system)).toEqual([
      [0, 16],
      [32, 16],
    ]);
  });

  it('leaves out what is bound already', () => {
    const system = filled({ layout, chunkPages: [8, 1], togetherPages: 512 });
    expect(system.run(system.cpus[0].prefetch(vpn(AREA + 8), 8, 0, 1))).toBe(Errno.OK);
    expect(prefetched(system)).toEqual([
      [0, 8],
      [16, 16],
      [32, 16],
    ]);
  });

  it('tries each by itself where a block does not get there', () => {
    const system = filled({ layout, togetherPages: 512 });
    const { vram } = system.coordinator;
    const populate = vram.populateMm.bind(vram);
    vram.populateMm = function* (dpagemap, mm, start, end, timesliceNs): Steps<Errno> {
      return end - start > 16 ? Errno.ENOMEM : yield* populate(dpagemap, mm, start, end, timesliceNs);
    };
    expect(prefetched(system)).toEqual([
      [0, 32],
      [0, 16],
      [16, 16],
      [32, 16],
    ]);
  });

  it('looks no more for what a block has brought', () => {
    const system = filled({ layout, togetherPages: 512 });
    const { scan } = system.coordinator.gpuFaults.parts.migration;
    const right = scan.scan.bind(scan);
    const scanned: number[] = [];
    scan.scan = function* (gpusvm, range, ...more) {
      scanned.push(range.start - AREA);
      return yield* right(gpusvm, range, ...more);
    };
    expect(prefetched(system)).toHaveLength(2);
    expect(scanned).toEqual([32]);
  });

  it('brings a block home, and once more as a whole, where the devices do not reach each other’s memory', () => {
    const system = filled({ layout, togetherPages: 512, interconnect: 'none' });
    expect(prefetch(system, 1)).toBe(Errno.OK);
    expect(system.placesOf(AREA, 48)).toEqual(['vram1']);
    expect(prefetched(system)).toEqual([
      [0, 32],
      [0, 32],
      [32, 16],
      [32, 16],
    ]);
  });

  it('brings home each allocation of a block that the other device has in several', () => {
    const system = filled({ layout, togetherPages: 512, interconnect: 'none' });
    for (const first of [0, 16, 32])
      expect(system.run(store(system.context(1), AREA + first, 100 + first))).toBe(Errno.OK);
    expect(prefetched(system)).toEqual([
      [0, 32],
      [0, 32],
      [32, 16],
      [32, 16],
    ]);
  });

  it('takes along only what goes to the same device, and nothing from other devices that the policy leaves there', () => {
    const system = filled({ layout, togetherPages: 512, interconnect: 'peer' });
    expect(system.run(system.cpus[0].prefetch(vpn(AREA + 16), 16, 1, 1))).toBe(Errno.OK);
    const leaves = { ...preferDevice(0), onlySystemPages: true };
    system.seen.length = 0;
    expect(prefetchFor(system, 0, (page) => (page < 16 ? preferDevice(0) : leaves))).toBe(Errno.OK);
    expect(migrations(system)).toEqual([
      [0, 16],
      [32, 16],
    ]);
    expect(system.placesOf(AREA + 16, 16)).toEqual(['vram1']);
    finish(system);
  });

  it('parts where the next range goes to another device', () => {
    const system = filled({ layout, togetherPages: 512, interconnect: 'peer' });
    expect(prefetchFor(system, 0, (page) => preferDevice(page < 16 ? 0 : 1))).toBe(Errno.OK);
    expect([system.placesOf(AREA, 16), system.placesOf(AREA + 16, 32)]).toEqual([['vram0'], ['vram1']]);
    finish(system);
  });
});

describe.each(layouts)('%s: a prefetch of which a range', (layout) => {
  it('finds no device memory is no error: what has moved stays, others are not tried, and none is bound', () => {
    const system = filled({ layout });
    const { vram } = system.coordinator;
    const populate = vram.populateMm.bind(vram);
    vram.populateMm = function* (dpagemap, mm, start, end, timesliceNs): Steps<Errno> {
      return start === AREA ? yield* populate(dpagemap, mm, start, end, timesliceNs) : Errno.ENOMEM;
    };
    expect(prefetch(system, 0)).toBe(Errno.OK);
    const places = [0, 16, 32].map((first) => system.placesOf(AREA + first, 16));
    expect(places).toEqual([['vram0'], ['ram'], ['ram']]);
    const tried = system.seen.filter(({ name }) => name === 'driver.migrate');
    expect(tried.map(({ args }) => args[0] - AREA)).toEqual([0, 16]);
    expect(boundPages(system, 0)).toEqual([]);
    expect([...system.coordinator.vms[0].gpusvm.allRanges()]).toHaveLength(3);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    finish(system);
  });

  it.each([Errno.EOPNOTSUPP, Errno.EFAULT, Errno.EPERM])(
    'gets no pages, with %i, is none either',
    (errno) => {
      const system = filled({ layout });
      failGetPages(system, errno, 2);
      expect(prefetch(system, 0)).toBe(Errno.OK);
      expect(boundPages(system, 0)).toEqual([]);
      expect(system.rangeAt(AREA + 16)?.npages).toBe(16);
      expect(system.seen.filter(({ name }) => name === 'driver.retry')).toEqual([]);
      expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
      finish(system);
    },
  );

  it('gets no pages for want of memory fails', () => {
    const system = filled({ layout });
    failGetPages(system, Errno.ENOMEM, 2);
    expect(prefetch(system, 0)).toBe(Errno.ENOMEM);
    expect(boundPages(system, 0)).toEqual([]);
    finish(system);
  });

  it('is invalidated before all are filled binds none', () => {
    const system = filled({ layout, cpuThreads: 2 });
    const disturb = function* (): Steps<number> {
      while (!system.seen.some(({ name }) => name === 'gpusvm.mapped')) yield STEP;
      return yield* load(system.cpus[1], AREA);
    };
    const ahead = system.cpus[0].prefetch(vpn(AREA), 48, 0, 1);
    expect(system.runAll<number>([ahead, disturb()])).toEqual([Errno.OK, 100]);
    expect(boundPages(system, 0)).toEqual([]);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    finish(system);
  });
});

describe.each(layouts)('%s: the ranges of a prefetch', (layout) => {
  /** First page, counted from the first of the area, and number of pages of each request that binds; the first `failing` of them find no room for page tables. */
  function watchBinds(system: System, failing = 0): number[][] {
    const { port } = system.coordinator.gpus[0];
    const startBind = port.startBind.bind(port);
    const finishBind = port.finishBind.bind(port);
    const binds: number[][] = [];
    port.startBind = (page, npages, ...rest) => {
      binds.push([(page % TASK_SIZE_PAGES) - AREA, npages]);
      if (binds.length <= failing) port.zap(page, npages);
      const request = startBind(page, npages, ...rest);
      if (binds.length <= failing) port.zap(page, npages);
      return request;
    };
    let finished = 0;
    port.finishBind = function* (request) {
      const errno = yield* finishBind(request);
      return ++finished <= failing ? Errno.ENOMEM : errno;
    };
    return binds;
  }

  function boundSteps(system: System): number[][] {
    return system.seen
      .filter(({ name }) => name === 'driver.bound')
      .map(({ args: [start, npages, , errno] }) => [start - AREA, npages, errno]);
  }

  const each = [0, 16, 32];

  it('are bound in one request where they lie side by side', () => {
    const system = filled({ layout });
    const binds = watchBinds(system);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(binds).toEqual([[0, 48]]);
    expect(boundSteps(system)).toEqual([[0, 48, Errno.OK]]);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    expect(faultsOf(system, 0)).toBe(0);
    finish(system);
  });

  it('are bound in a request for each span without what is bound already', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA + 16, 116))).toBe(Errno.OK);
    const binds = watchBinds(system);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(binds).toEqual([
      [0, 16],
      [32, 16],
    ]);
    finish(system);
  });

  it('are bound apart where they have other rights', () => {
    const system = filled({ layout });
    expect(system.run(system.cpus[0].mprotect(vpn(AREA + 16), 32, Prot.Read))).toBe(Errno.OK);
    const binds = watchBinds(system);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(binds).toEqual([
      [0, 16],
      [16, 32],
    ]);
    finish(system);
  });

  it('are bound apart where the device can do atomics on some of them only', () => {
    const system = filled({ layout });
    const binds = watchBinds(system);
    const errno = prefetchFor(system, 0, (page) => (page < 16 ? preferDevice(0) : stayInRam));
    expect(errno).toBe(Errno.OK);
    expect([system.placesOf(AREA, 16), system.placesOf(AREA + 16, 32)]).toEqual([['vram0'], ['ram']]);
    expect(binds).toEqual(each.map((first) => [first, 16]));
    finish(system);
  });

  it('are bound in as many requests as page arrays have room for them', () => {
    const system = new System({ layout, ramPages: 2048, chunkPages: [64, 1], notifierPages: 2048 });
    system.map(AREA, 640);
    expect(system.run(fill(system.cpus[0], AREA, 640, 100))).toBe(Errno.OK);
    const { coordinator } = system;
    const [gpu] = coordinator.gpus;
    const vm = coordinator.vmOf(gpu);
    const binds = watchBinds(system);
    const span = { start: vpn(AREA), end: vpn(AREA + 640) };
    const policyOf = (): PlacementPolicy => stayInRam;
    expect(system.run(coordinator.spanPrefetches.run({ vm, gpu, ...span, policyOf }))).toBe(Errno.OK);
    expect(binds).toEqual([
      [0, 512],
      [512, 128],
    ]);
    expect(system.run(findDifference(system.context(0), AREA, 640, 100))).toBe(null);
    finish(system);
  });

  it('are bound one by one where an invalidation comes before the request', () => {
    const system = filled({ layout, cpuThreads: 2 });
    const binds = watchBinds(system);
    const { arrays } = system.coordinator;
    const tryBorrow = arrays.tryBorrow.bind(arrays);
    let disturbing = false;
    // The request needs an array, and waits for one until the pages of a range have gone home.
    arrays.tryBorrow = () => {
      const isBinding = system.seen.filter(({ name }) => name === 'gpusvm.mapped').length === 3;
      if (isBinding) disturbing = true;
      return isBinding && binds.length === 0 ? null : tryBorrow();
    };
    const borrow = arrays.borrow.bind(arrays);
    arrays.borrow = function* () {
      while (system.seen.every(({ name }) => name !== 'gpusvm.unmapped')) yield STEP;
      return yield* borrow();
    };
    const disturb = function* (): Steps<number> {
      while (!disturbing) yield STEP;
      return yield* load(system.cpus[1], AREA + 16);
    };
    const ahead = system.cpus[0].prefetch(vpn(AREA), 48, 0, 1);
    expect(system.runAll<number>([ahead, disturb()])).toEqual([Errno.OK, 116]);
    expect(binds).toEqual([
      [0, 16],
      [32, 16],
    ]);
    expect(boundSteps(system)).toContainEqual([16, 16, Errno.EAGAIN]);
    finish(system);
  });

  it('begin another request with one that a fault is working on, which is waited for', () => {
    const system = filled({ layout });
    const [gpu] = system.coordinator.gpus;
    expect(system.run(store(system.context(0), AREA + 16, 116))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 16))).toBe(116);
    const part = system.rangeAt(AREA + 16)?.find(gpu);
    if (part === null || part === undefined) throw new Error('the fault has made no part');
    part.lock.tryLock = () => false;
    const binds = watchBinds(system);
    expect(prefetch(system, 0)).toBe(Errno.OK);
    expect(binds).toEqual([
      [0, 16],
      [16, 32],
    ]);
    expect(part.lock.isLocked).toBe(false);
    finish(system);
  });

  it('have what they had before where the request finds no room for page tables', () => {
    const system = filled({ layout });
    const binds = watchBinds(system, 1);
    expect(prefetch(system, 0)).toBe(Errno.ENOMEM);
    expect(binds).toEqual([[0, 48]]);
    expect(boundPages(system, 0)).toEqual([]);
    expect(boundSteps(system)).toEqual([[0, 48, Errno.ENOMEM]]);
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    finish(system);
  });
});
