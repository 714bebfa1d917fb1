/** drm_gpusvm and its driver: hooks for allocation, the lock that is annotated, iterators, and what is looked up under mmap_lock. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import {
  defaultContext,
  GpuSvm,
  type GpuSvmOps,
  HMM_TIMEOUT_NS,
  type RangeResult,
} from '../../../src/drm/gpusvm/gpusvm.js';
import { GpuSvmNotifier } from '../../../src/drm/gpusvm/notifier.js';
import { PagesFlag } from '../../../src/drm/gpusvm/pages.js';
import { GpuSvmRange } from '../../../src/drm/gpusvm/range.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import { NotifyEvent, notifierRange } from '../../../src/mm/mirror/mmuNotifier.js';
import type { Steps } from '../../../src/sim/steps.js';
import { DrmMachine, TEST_CONFIG, TestDriver } from '../harness.js';

const AREA = 0x1000;
const ALL: [Vpn, Vpn] = [vpn(0), vpn(2 ** 35)];

let drm: DrmMachine;

beforeEach(() => {
  drm = new DrmMachine();
  drm.map(AREA, 256);
});

/** A gpusvm with nothing but these hooks, and no lock. */
function make(ops: Partial<GpuSvmOps> = {}): GpuSvm {
  const all: GpuSvmOps = { *invalidate() {}, ...ops };
  const gpusvm = GpuSvm.init(drm.kernel.sched, TEST_CONFIG, drm.mm, drm.hmm, all);
  assert(typeof gpusvm !== 'number', 'the configuration of a test is wrong');
  return gpusvm;
}

function find(gpusvm: GpuSvm, page: number): RangeResult {
  return drm.run(gpusvm.rangeFindOrInsert(vpn(page), ...ALL, defaultContext));
}

function rangeAt(gpusvm: GpuSvm, page: number): GpuSvmRange {
  const found = find(gpusvm, page);
  assert('range' in found, 'no range');
  return found.range;
}

describe('hooks', () => {
  it('are all optional but the callback', () => {
    const gpusvm = make();
    const range = rangeAt(gpusvm, AREA);
    expect([range.start, range.end, range.gpusvm]).toEqual([AREA, AREA + 16, gpusvm]);
    drm.run(gpusvm.rangeRemove(range));
    expect(gpusvm.notifiers.size).toBe(0);
    drm.run(gpusvm.fini());
  });

  it("make the driver's own notifiers and ranges, and free them once each", () => {
    class OwnNotifier extends GpuSvmNotifier {}
    class OwnRange extends GpuSvmRange {}
    const freed: unknown[] = [];
    const gpusvm = make({
      notifierAlloc: (owner, start, end) => new OwnNotifier(owner, start, end),
      notifierFree: (notifier) => freed.push(notifier),
      rangeAlloc: (notifier, start, end, migrate) => new OwnRange(notifier, start, end, migrate),
      rangeFree: (range) => freed.push(range),
    });
    const range = rangeAt(gpusvm, AREA);
    const { notifier } = range;
    expect([range instanceof OwnRange, notifier instanceof OwnNotifier]).toEqual([true, true]);
    drm.run(gpusvm.rangeRemove(range));
    expect(freed).toEqual([range, notifier]);
  });

  it('are -ENOMEM when they have no memory; a new notifier goes again', () => {
    const freed: unknown[] = [];
    const noNotifier = make({ notifierAlloc: () => null });
    expect(find(noNotifier, AREA)).toEqual({ errno: Errno.ENOMEM });
    const noRange = make({ rangeAlloc: () => null, notifierFree: (notifier) => freed.push(notifier) });
    expect(find(noRange, AREA)).toEqual({ errno: Errno.ENOMEM });
    expect([freed.length, drm.mm.notifiers.intervals, noRange.notifiers.size]).toEqual([1, 0, 0]);
  });
});

describe('the lock of the driver', () => {
  it('is asserted from when it is set, by find, remove and fini', () => {
    const gpusvm = make();
    const range = rangeAt(gpusvm, AREA);
    gpusvm.driverSetLock({ assertHeld: () => assert(false, 'the driver does not hold its lock') });
    expect(() => find(gpusvm, AREA)).toThrow('does not hold its lock');
    expect(() => drm.run(gpusvm.rangeRemove(range))).toThrow('does not hold its lock');
    expect(() => drm.run(gpusvm.fini())).toThrow('does not hold its lock');
  });

  it('is set once', () => {
    const gpusvm = make();
    gpusvm.driverSetLock({ assertHeld() {} });
    expect(() => gpusvm.driverSetLock({ assertHeld() {} })).toThrow('set once');
  });
});

describe('iterators', () => {
  it('of notifiers and ranges take half-open spans, also at the ends of windows', () => {
    const gpusvm = make();
    for (const page of [AREA, AREA + 63, AREA + 64, AREA + 128]) rangeAt(gpusvm, page);
    const starts = (from: number, to: number): number[] =>
      [...gpusvm.notifiersIn(from, to)].map(({ start }) => start - AREA);
    expect(starts(AREA, AREA + 64)).toEqual([0]);
    expect(starts(AREA + 63, AREA + 65)).toEqual([0, 64]);
    expect(starts(AREA + 64, AREA + 128)).toEqual([64]);
    expect([...gpusvm.rangesIn(vpn(AREA + 15), vpn(AREA + 48))].map(({ start }) => start - AREA)).toEqual([
      0,
    ]);
    expect(gpusvm.findNotifier(vpn(AREA + 63))?.start).toBe(AREA);
    expect(gpusvm.hasMapping(vpn(AREA + 16), vpn(AREA + 48))).toBe(false);
    expect(gpusvm.hasMapping(vpn(AREA + 16), vpn(AREA + 49))).toBe(true);
  });

  it('in their safe form outlive the removal of what they are at', () => {
    const gpusvm = make();
    for (const page of [AREA, AREA + 16, AREA + 32, AREA + 64, AREA + 128]) rangeAt(gpusvm, page);
    const removed: number[] = [];
    for (const notifier of gpusvm.notifiersInSafe(AREA, AREA + 128)) {
      for (const range of notifier.rangesInSafe(AREA + 16, AREA + 128)) {
        removed.push(range.start - AREA);
        drm.run(gpusvm.rangeRemove(range));
      }
    }
    expect(removed).toEqual([16, 32, 64]);
    expect([...gpusvm.allRanges()].map(({ start }) => start - AREA)).toEqual([0, 128]);
  });
});

describe('find_vma_start', () => {
  it.each([
    [AREA - 10, AREA, null],
    [AREA - 10, AREA + 1, AREA],
    [AREA + 100, AREA + 101, AREA],
    [AREA + 256, AREA + 300, null],
    [AREA + 256, AREA + 301, AREA + 300],
  ])('of [%i, %i) is %s', (start, end, expected) => {
    drm.map(AREA + 300, 4);
    expect(drm.run(make().findVmaStart(vpn(start), vpn(end)))).toBe(expected);
    expect([drm.mm.users, drm.mm.mmapLock.isLocked]).toEqual([1, false]);
  });

  it('is nothing when the address space is gone', () => {
    const gpusvm = make();
    drm.mm.users = 0;
    expect(drm.run(gpusvm.findVmaStart(vpn(AREA), vpn(AREA + 1)))).toBe(null);
  });
});

describe('a new range', () => {
  it('of hugetlb memory stays in RAM, though the driver would migrate it', () => {
    const driver = new TestDriver(drm);
    const vma = drm.mm.vmas.find(vpn(AREA));
    assert(vma !== null, 'no area');
    const { finder } = driver.gpusvm;
    const ctx = { ...defaultContext, devmemPossible: true };
    expect(finder?.mayMigrate(vma, ctx)).toBe(true);
    vma.flags |= VmFlag.Hugetlb;
    expect(finder?.mayMigrate(vma, ctx)).toBe(false);
  });

  it('waits at most a second for a look at its pages that others keep invalidating', () => {
    const driver = new TestDriver(drm);
    drm.hmm.rangeFault = function* (): Steps<Errno> {
      yield* drm.kernel.sched.sleep(HMM_TIMEOUT_NS / 4);
      return Errno.EBUSY;
    };
    expect(driver.rangeAt(AREA, { checkPagesThreshold: 16 }).npages).toBe(1);
    // Two chunks were looked at, each for a second and the attempt that was under way.
    expect(drm.kernel.sched.now()).toBeLessThanOrEqual(2.5 * HMM_TIMEOUT_NS);
  });
});

describe('range_set_unmapped', () => {
  it('marks as many pages objects as it is told of', () => {
    const driver = new TestDriver(drm);
    const range = driver.rangeAt(AREA);
    const pages = driver.pagesOf(range);
    const mark = function* (count: number): Steps<void> {
      yield* driver.gpusvm.notifierLock.write();
      const event = notifierRange(NotifyEvent.Unmap, vpn(AREA), vpn(AREA + 16));
      driver.gpusvm.rangeSetUnmapped(range, pages, count, event);
      driver.gpusvm.notifierLock.writeUnlock();
    };
    drm.run(mark(1));
    expect(pages.map((one) => one.has(PagesFlag.Unmapped))).toEqual([true, false]);
    drm.run(mark(2));
    expect(pages.map((one) => one.has(PagesFlag.Unmapped))).toEqual([true, true]);
  });
});
