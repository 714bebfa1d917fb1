/** The invalidation callback: all translations go first, then one TLB invalidation per device, then DMA ends. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { NO_GPU_COSTS } from '../../src/device/gpuConfig.js';
import { migrateToFaulting, stayInRam } from '../../src/driver/placement.js';
import { Prot } from '../../src/mm/area/mmap.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, load, System, type SystemOptions, store } from './harness.js';

const AREA = 0x1000;

/** Every page of `ranges` ranges of 16 is mapped by each device. */
function mirrored(ranges: number, options: SystemOptions = {}): System {
  const system = new System({ policy: stayInRam, ...options });
  system.map(AREA, 16 * ranges);
  expect(system.run(fill(system.cpus[0], AREA, 16 * ranges, 100))).toBe(Errno.OK);
  for (let i = 0; i < ranges; i++) {
    system.devices.forEach((_, device) => {
      system.run(load(system.context(device), AREA + 16 * i));
    });
  }
  system.seen.length = 0;
  return system;
}

function names(system: System, ...rooms: string[]): string[] {
  return system.seen.map(({ name }) => name).filter((name) => rooms.includes(name.split('.')[0]));
}

function entries(system: System): number[] {
  return system.devices.map(({ gpu }) => gpu.pageTable.entries);
}

describe('one invalidation over several ranges', () => {
  it('takes all translations away, then flushes each device once, then ends DMA', () => {
    const system = mirrored(3);
    system.run(system.cpus[0].madvise(vpn(AREA + 8), 32, 0));
    const wanted = ['driver.zap', 'driver.tlbInvalidated', 'gpusvm.unmapped', 'gpusvm.invalidate'];
    expect(names(system, 'driver', 'gpusvm').filter((name) => wanted.includes(name))).toEqual([
      ...new Array(6).fill('driver.zap'),
      ...new Array(2).fill('driver.tlbInvalidated'),
      ...new Array(6).fill('gpusvm.unmapped'),
      'gpusvm.invalidate',
    ]);
    expect(entries(system)).toEqual([0, 0]);
    system.checkAtRest();
  });

  it('flushes a window that holds every range it touches, whole', () => {
    const system = mirrored(3);
    system.run(system.cpus[0].madvise(vpn(AREA + 24), 16, 0));
    const windows = system.seen
      .filter(({ name }) => name === 'device.tlbInvalidate')
      .map(({ args }) => args.slice(0, 3));
    expect(windows.sort()).toEqual([
      [0, AREA + 16, 32],
      [1, AREA + 16, 32],
    ]);
    expect(entries(system)).toEqual([16, 16]);
    system.checkAtRest();
  });

  it('sends all flushes before it waits for any', () => {
    const slow = { ...NO_GPU_COSTS, tlbInvalidateNs: 5000 };
    const system = mirrored(1, { gpuCosts: slow, devices: 4 });
    const before = system.executor.now();
    system.run(system.cpus[0].madvise(vpn(AREA), 16, 0));
    expect(system.executor.now() - before).toBe(5000);
  });

  it('waits for a bind that is on its way, so that the access it is for gets its turn', () => {
    const costs = { ...NO_GPU_COSTS, bindNs: 5000 };
    const system = new System({ policy: stayInRam, gpuCosts: costs, devices: 1 });
    system.map(AREA, 16);
    let zappedAt = 0;
    system.onEachStep = ({ name }) => {
      if (name === 'driver.zap') zappedAt = system.executor.now();
    };
    const unmap = function* (): Steps<number> {
      yield* system.executor.sleep(1000);
      expect(entries(system)).toEqual([16]);
      return yield* system.cpus[0].madvise(vpn(AREA), 16, 0);
    };
    expect(system.runAll<number>([store(system.context(0), AREA, 7), unmap()])).toEqual([Errno.OK, Errno.OK]);
    expect(zappedAt).toBe(5000);
    system.checkAtRest();
  });

  it('asks a device for nothing that has nothing mapped', () => {
    const system = mirrored(1);
    system.run(system.cpus[0].madvise(vpn(AREA), 16, 0));
    system.run(load(system.context(1), AREA));
    system.seen.length = 0;
    system.run(system.cpus[0].madvise(vpn(AREA), 16, 0));
    const flushed = system.seen
      .filter(({ name }) => name === 'device.tlbInvalidate')
      .map(({ args }) => args[0]);
    expect(flushed).toEqual([1]);
  });

  it('ends without asking anyone where no range is', () => {
    const system = mirrored(1);
    system.map(AREA + 32, 1);
    system.run(store(system.cpus[0], AREA + 32, 1));
    system.seen.length = 0;
    system.run(system.cpus[0].madvise(vpn(AREA + 32), 1, 0));
    expect(names(system, 'device', 'driver')).toEqual([]);
    expect(entries(system)).toEqual([16, 16]);
  });

  it('has room for more messages than a ring holds', () => {
    const system = mirrored(1, { ringCapacity: 4, chunkPages: [1] });
    for (let i = 0; i < 16; i++) {
      for (const device of [0, 1]) system.run(load(system.context(device), AREA + i));
    }
    expect(entries(system)).toEqual([16, 16]);
    expect(system.run(system.cpus[0].munmap(vpn(AREA), 16))).toBe(Errno.OK);
    expect(entries(system)).toEqual([0, 0]);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('an event', () => {
  it('that only changes rights or content leaves the range to be mapped again', () => {
    const system = mirrored(1);
    const range = system.rangeAt(AREA);
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 1, Prot.Read))).toBe(Errno.OK);
    expect(entries(system)).toEqual([0, 0]);
    expect(range?.unmapped).toBe(false);
    expect(system.run(system.cpus[0].mprotect(vpn(AREA), 1, Prot.Read | Prot.Write))).toBe(Errno.OK);
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.rangeAt(AREA)).toBe(range);
  });
});

describe('whatever the schedule, no device uses what the CPU has taken away', () => {
  it.each([1, 2, 3, 4, 5, 6])('(seed %i)', (seed) => {
    const system = mirrored(1, { seed, pagesPerStep: 1, policy: migrateToFaulting(seed % 2 === 0) });
    const gone = (): boolean => entries(system).every((count) => count === 0);
    // Between the callback's return and the end of the invalidation nothing may be mapped on any device.
    system.onEachStep = ({ name }) => {
      if (name === 'zap.cleared') expect(gone()).toBe(true);
    };
    const access = function* (device: number): Steps<void> {
      for (let i = 0; i < 10; i++) yield* store(system.context(device), AREA + i, 1);
    };
    const zap = function* (): Steps<void> {
      for (let i = 0; i < 5; i++) yield* system.cpus[0].madvise(vpn(AREA), 16, 0);
    };
    system.runAll([access(0), access(1), zap()]);
    system.onEachStep = null;
    system.checkAtRest();
    system.tearDown();
  });
});
