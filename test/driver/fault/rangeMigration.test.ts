/** A migration that others are in the way of: it gets the field to itself, and each further attempt keeps its pages longer. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { adviseMirror } from '../../../src/driver/attributes/mirrorAdvice.js';
import { AtomicMode, XeMadvise } from '../../../src/driver/attributes/xeMadvise.js';
import type { DrmPagemap } from '../../../src/drm/pagemap/drmPagemap.js';
import { FaultKind } from '../../../src/memory/faultKind.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import { fill, load, System, type SystemOptions, store } from '../harness.js';

const AREA = 0x1000;
const layouts = ['n1', 'one-to-one'] as const;

/** One call of the driver's populate: for whom, how long its pages are to stay, and how many others were under way at any time meanwhile. */
interface Populate {
  readonly device: number;
  readonly start: number;
  readonly timesliceNs: number;
  others: number;
}

/** Watches all calls; those that `refuses` names do nothing and end with -EBUSY. */
function watchPopulate(
  system: System,
  refuses: (call: Populate, earlier: readonly Populate[]) => boolean,
): Populate[] {
  const { vram } = system.coordinator;
  const right = vram.populateMm.bind(vram);
  const calls: Populate[] = [];
  const active = new Set<Populate>();
  vram.populateMm = function* (dpagemap: DrmPagemap, mm, start, end, timesliceNs): Steps<Errno> {
    const call: Populate = { device: dpagemap.device.index, start, timesliceNs, others: active.size };
    const isRefused = refuses(call, calls);
    for (const other of active) other.others++;
    active.add(call);
    calls.push(call);
    // Long enough for others to come.
    for (let i = 0; i < 50; i++) yield STEP;
    const errno = isRefused ? Errno.EBUSY : yield* right(dpagemap, mm, start, end, timesliceNs);
    active.delete(call);
    return errno;
  };
  return calls;
}

function filled(options: SystemOptions): System {
  const system = new System(options);
  system.map(AREA, 128);
  expect(system.run(fill(system.cpus[0], AREA, 128, 100))).toBe(Errno.OK);
  return system;
}

function* atomicFault(system: System, page: number): Steps<Errno> {
  return yield* system.context(0).fault(vpn(page), true, FaultKind.Atomic);
}

describe.each(layouts)('%s: a migration that ends with -EBUSY', (layout) => {
  it.each([1, 2, 3, 4])('is tried once more when nobody else migrates, from RAM (seed %i)', (seed) => {
    const system = filled({ layout, seed });
    const calls = watchPopulate(
      system,
      ({ device, start }, earlier) =>
        device === 0 && start === AREA && !earlier.some((call) => call.device === 0 && call.start === AREA),
    );
    const others = function* (): Steps<void> {
      for (let page = AREA + 16; page < AREA + 128; page += 16) yield* store(system.context(1), page, 5);
    };
    const one = function* (): Steps<void> {
      expect(yield* store(system.context(0), AREA, 7)).toBe(Errno.OK);
    };
    system.runAll([others(), one()]);
    const mine = calls.filter(({ device, start }) => device === 0 && start === AREA);
    expect(mine).toHaveLength(2);
    // Migrations side by side are nothing unusual; this one waited for them, and let none begin.
    expect(Math.max(...calls.map((call) => call.others))).toBeGreaterThan(0);
    expect(mine[1].others).toBe(0);
    const order = system.trace(['driver.migrateBusy', 'gpusvm.evict', 'pagemap.toDevmemDone']);
    expect(order.indexOf('gpusvm.evict')).toBeGreaterThan(order.indexOf('driver.migrateBusy'));
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(load(system.cpus[0], AREA))).toBe(7);
    system.checkAtRest();
    system.tearDown();
  });
});

/** The next call finds pages that do not mix, so that the driver brings them home. */
function failGetPagesOnce(system: System): void {
  const { dma } = system.coordinator.vms[0];
  const getPages = dma.getPages.bind(dma);
  let left = 1;
  dma.getPages = function* (...args) {
    return left-- > 0 ? Errno.EOPNOTSUPP : yield* getPages(...args);
  };
}

describe('the attempts of a fault that needs device memory', () => {
  it('are one less with each round, also where the pages were there already', () => {
    const system = filled({});
    expect(system.run(atomicFault(system, AREA))).toBe(Errno.OK);
    const { gpus, vms } = system.coordinator;
    const span = { start: AREA, end: AREA + 128 };
    const advice = { kind: 'atomics', mode: AtomicMode.Device } as const;
    // Advice takes the translations away; the pages stay valid where they are.
    expect(system.run(adviseMirror(vms[0], gpus[0], span, advice, new XeMadvise()))).toBe(Errno.OK);
    failGetPagesOnce(system);
    const calls = watchPopulate(system, () => true);
    expect(system.run(atomicFault(system, AREA))).toBe(Errno.EBUSY);
    // Two of the three are left, each one among others and one alone.
    expect(calls).toHaveLength(4);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('the timeslice of a fault that needs device memory', () => {
  it('doubles after a migration that succeeded too, and again when the pages are lost', () => {
    const system = filled({ atomicTimesliceNs: 1000 });
    failGetPagesOnce(system);
    const calls = watchPopulate(system, () => false);
    expect(system.run(atomicFault(system, AREA))).toBe(Errno.OK);
    expect(calls.map(({ timesliceNs }) => timesliceNs)).toEqual([1000, 4000]);
    system.checkAtRest();
    system.tearDown();
  });

  it('doubles with each round that fails, when it migrates and when it gets pages, up to a limit', () => {
    const system = filled({ atomicTimesliceNs: 1000 });
    const calls = watchPopulate(system, () => true);
    expect(system.run(atomicFault(system, AREA))).toBe(Errno.EBUSY);
    // Each attempt is one among others and one alone; pages in RAM are no use to the fault either.
    expect(calls.map(({ timesliceNs }) => timesliceNs)).toEqual([1000, 1000, 4000, 4000, 16_000, 16_000]);
    system.checkAtRest();
    const patient = filled({ atomicTimesliceNs: 60_000_000 });
    const long = watchPopulate(patient, () => true);
    expect(patient.run(atomicFault(patient, AREA))).toBe(Errno.EBUSY);
    expect(long.map(({ timesliceNs }) => timesliceNs)).toEqual([6e7, 6e7, 1e8, 1e8, 1e8, 1e8]);
    patient.checkAtRest();
  });

  it('is how long the pages stay once they are there: the CPU waits for it', () => {
    const system = filled({ atomicTimesliceNs: 5000 });
    const calls = watchPopulate(system, (_, earlier) => earlier.length < 2);
    expect(system.run(atomicFault(system, AREA))).toBe(Errno.OK);
    expect(calls.map(({ timesliceNs }) => timesliceNs)).toEqual([5000, 5000, 20_000]);
    const [allocation] = system.coordinator.gpus[0].allocations;
    const left = allocation.timesliceExpirationNs - system.executor.now();
    expect(left).toBeGreaterThan(5000);
    expect(system.run(load(system.cpus[0], AREA))).toBe(100);
    expect(system.executor.now()).toBeGreaterThanOrEqual(allocation.timesliceExpirationNs);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    system.checkAtRest();
    system.tearDown();
  });
});
