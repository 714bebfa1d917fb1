/** The garbage collector: what was unmapped goes, by the worker or by the next fault, and makes room for new ranges. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { migrateToFaulting, stayInRam } from '../../src/driver/placement.js';
import type { SvmVm } from '../../src/driver/svmVm.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
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

function entries(system: System): number[] {
  return system.devices.map(({ gpu }) => gpu.pageTable.entries);
}

describe('garbage', () => {
  it('that unmaps marks the range for all devices at once, and the worker removes it', () => {
    const system = mirrored(1);
    const range = system.rangeAt(AREA);
    const { notifiers } = system.coordinator.vms[0].gpusvm;
    system.run(system.cpus[0].munmap(vpn(AREA + 15), 1));
    expect([range?.unmapped, range?.partialUnmap]).toEqual([true, true]);
    expect(range?.parts.map(({ pages }) => pages.has(PagesFlag.Unmapped))).toEqual([true, true]);
    expect(system.rangeAt(AREA)).toBe(null);
    expect(range?.refs).toBe(0);
    expect([notifiers.size, system.coordinator.mm.notifiers.intervals]).toEqual([0, 0]);
    expect(system.coordinator.vms[0].collector.hasWork).toBe(false);
    system.checkAtRest();
  });

  it('that unmaps two ranges of one notifier leaves the third', () => {
    const system = mirrored(3);
    system.run(system.cpus[0].munmap(vpn(AREA + 8), 16));
    expect([0, 16, 32].map((i) => system.rangeAt(AREA + i) !== null)).toEqual([false, false, true]);
    expect(entries(system)).toEqual([16, 16]);
    expect(system.run(load(system.context(0), AREA + 7))).toBe(107);
    expect(system.run(load(system.context(0), AREA + 8))).toBe(Errno.EFAULT);
    expect(system.run(load(system.context(0), AREA + 24))).toBe(124);
    system.checkAtRest();
    system.tearDown();
  });

  it('a fault that meets an unmapped range before the worker does collects it itself', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const system = mirrored(1, { seed, policy: migrateToFaulting(false) });
      const replace = function* (): Steps<number> {
        yield* system.cpus[0].munmap(vpn(AREA), 16);
        yield* system.cpus[0].mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed);
        return yield* store(system.context(0), AREA + 1, 7);
      };
      expect(system.run(replace())).toBe(Errno.OK);
      expect([0, 1].map((i) => system.run(load(system.cpus[0], AREA + i)))).toEqual([0, 7]);
      system.checkAtRest();
      system.tearDown();
    }
  });
});

it('a prefetch to RAM brings home what is left of a range before the worker has removed it', () => {
  const system = mirrored(1, { policy: migrateToFaulting(false) });
  const { coordinator } = system;
  const [vm] = coordinator.vms;
  const { collector } = vm;
  const letWork = system.holdCollector();
  const bringHome = function* (): Steps<number> {
    yield* system.cpus[0].munmap(vpn(AREA + 8), 8);
    expect(collector.hasWork).toBe(true);
    const next = yield* coordinator.prefetches.toRam(vm, vpn(AREA));
    letWork();
    return next;
  };
  expect(system.run(bringHome())).toBeGreaterThan(AREA);
  expect(system.placeOf(AREA)).toBe('ram');
  system.checkAtRest();
  system.tearDown();
});

/** Start pages of the ranges that the collector removes, in order. */
function watchRemovals({ collector }: SvmVm): number[] {
  const removed: number[] = [];
  const right = collector.removeRange.bind(collector);
  collector.removeRange = (range) => {
    removed.push(range.start - AREA);
    return right(range);
  };
  return removed;
}

/** How many runs of the worker have begun, and how many are under way. */
function watchWork({ collector }: SvmVm): { begun: number; underWay: number } {
  const work = { begun: 0, underWay: 0 };
  const right = collector.work.bind(collector);
  collector.work = function* () {
    work.begun++;
    work.underWay++;
    yield* right();
    work.underWay--;
  };
  return work;
}

describe('the garbage collector', () => {
  it('removes ranges in the order in which they were unmapped', () => {
    const system = mirrored(4);
    const [vm] = system.coordinator.vms;
    const removed = watchRemovals(vm);
    const unmapInOrder = function* (): Steps<void> {
      yield* vm.vmLock.read();
      for (const i of [32, 0, 48]) yield* system.cpus[0].munmap(vpn(AREA + i), 16);
      expect(removed).toEqual([]);
      vm.vmLock.readUnlock();
    };
    system.run(unmapInOrder());
    expect(removed).toEqual([32, 0, 48]);
    system.checkAtRest();
    system.tearDown();
  });

  it('queues nothing once it is disabled', () => {
    const system = mirrored(2);
    const [vm] = system.coordinator.vms;
    const range = system.rangeAt(AREA);
    assert(range !== null, 'no range');
    system.run(vm.collector.disable());
    vm.collector.add(range);
    expect([vm.collector.hasWork, range.queued, range.refs]).toEqual([false, false, 1]);
    system.tearDown();
  });

  it('works no more when its mirror has ended, and the end waits for work under way', () => {
    let waited = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const system = mirrored(4, { seed });
      const [vm] = system.coordinator.vms;
      const work = watchWork(vm);
      const end = function* (): Steps<void> {
        while (work.begun === 0) yield STEP;
        waited += work.underWay;
        yield* vm.collector.disable();
        expect(work.underWay).toBe(0);
        yield* vm.close();
      };
      const unmap = function* (): Steps<void> {
        for (let i = 0; i < 64; i += 8) yield* system.cpus[0].munmap(vpn(AREA + i), 8);
      };
      system.runAll([unmap(), end()]);
      const { begun } = work;
      system.map(AREA, 16);
      system.run(system.cpus[0].munmap(vpn(AREA), 16));
      expect([vm.collector.hasWork, work.begun]).toEqual([false, begun]);
    }
    expect(waited).toBeGreaterThan(0);
  });
});

/** Goes on when the others have got so far. */
function* until(isSo: () => boolean): Steps<void> {
  while (!isSo()) yield STEP;
}

describe('who collects before it looks for ranges', () => {
  it('does both under one hold of the lock: the end of the mirror comes before or after, not between', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const system = mirrored(2, { seed, policy: migrateToFaulting(false) });
      const { coordinator } = system;
      const { mm, mirrors, prefetches } = coordinator;
      const [vm] = coordinator.vms;
      let at = 0;
      function* holdFirst(): Steps<void> {
        yield* vm.vmLock.write();
        at = 1;
        yield* until(() => at === 3);
        const garbage = system.rangeAt(AREA + 16);
        assert(garbage !== null, 'no range');
        vm.collector.add(garbage);
        vm.vmLock.writeUnlock();
      }
      function* bringHome(): Steps<void> {
        yield* until(() => at === 1);
        at = 2;
        yield* prefetches.toRam(vm, vpn(AREA));
      }
      /** Has the lock while the other one, which was not too late, waits to collect. */
      function* holdNext(): Steps<void> {
        yield* until(() => at === 2);
        at = 3;
        yield* vm.vmLock.write();
        at = 4;
        yield* until(() => vm.closed);
        vm.vmLock.writeUnlock();
      }
      function* end(): Steps<void> {
        yield* until(() => at === 4);
        yield* mirrors.close(mm);
      }
      system.runAll([holdFirst(), bringHome(), holdNext(), end()]);
      expect([vm.gpusvm.ranges.size, vm.gpusvm.notifiers.size, mm.notifiers.intervals]).toEqual([0, 0, 0]);
      system.tearDown();
    }
  });
});
