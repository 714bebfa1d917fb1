/** drm_gpusvm: which range a fault gets, how large it is, and how ranges and their notifiers end. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { defaultContext, type RangeResult } from '../../../src/drm/gpusvm/gpusvm.js';
import { PagesFlag } from '../../../src/drm/gpusvm/pages.js';
import type { GpuSvmRange } from '../../../src/drm/gpusvm/range.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { type NotifierRange, NotifyEvent, notifierRange } from '../../../src/mm/mirror/mmuNotifier.js';
import type { Steps } from '../../../src/sim/steps.js';
import { settle, spawn } from '../../mm/harness.js';
import { DrmMachine, TestDriver } from '../harness.js';

const AREA = 0x1000;

let drm: DrmMachine;
let driver: TestDriver;

beforeEach(() => {
  drm = new DrmMachine();
  driver = new TestDriver(drm);
});

function errnoOf(result: RangeResult): Errno {
  return 'errno' in result ? result.errno : Errno.OK;
}

function spanOf(result: RangeResult): string | Errno {
  return 'errno' in result ? result.errno : `${result.range.start}+${result.range.npages}`;
}

function munmap(start: number, npages: number): void {
  expect(drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(start), npages))).toBe(Errno.OK);
}

function protect(start: number, npages: number, prot: number): void {
  expect(drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(start), npages, prot))).toBe(Errno.OK);
}

/** The next object that a mirror allocates is one too many. */
function failing(): FailureInjector {
  const injector = new FailureInjector();
  injector.failNext(AllocSite.MirrorObject);
  return injector;
}

/** Runs `body` with the notifier lock held for write, as a callback does. */
function inCallback(body: () => void): void {
  const { notifierLock } = driver.gpusvm;
  drm.run(
    (function* (): Steps<void> {
      yield* notifierLock.write();
      body();
      notifierLock.writeUnlock();
    })(),
  );
}

describe('range_find_or_insert', () => {
  it('needs the lock of the driver', () => {
    const find = driver.gpusvm.rangeFindOrInsert(vpn(AREA), vpn(0), vpn(2 ** 35), defaultContext);
    expect(() => drm.run(find)).toThrow('must be held');
  });

  it('is -EINVAL outside the managed window, of which the page after the end passes', () => {
    drm.map(AREA, 64);
    const windowed = new TestDriver(drm, { start: vpn(AREA), npages: 32 });
    expect(errnoOf(drm.run(windowed.find(AREA - 1)))).toBe(Errno.EINVAL);
    expect(errnoOf(drm.run(windowed.find(AREA + 33)))).toBe(Errno.EINVAL);
    expect(errnoOf(drm.run(windowed.find(AREA + 32)))).toBe(Errno.OK);
  });

  it('is -EINVAL outside the window even when the address space is gone, and -EFAULT inside', () => {
    const windowed = new TestDriver(drm, { start: vpn(AREA), npages: 32 });
    drm.mm.users = 0;
    expect(errnoOf(drm.run(windowed.find(AREA - 1)))).toBe(Errno.EINVAL);
    expect(errnoOf(drm.run(windowed.find(AREA)))).toBe(Errno.EFAULT);
  });

  it('passes on the error of inserting a new notifier, and does not ask an old one again', () => {
    drm.map(AREA, 64);
    driver.rangeAt(AREA);
    drm.mm.notifiers.insert = function* (): Steps<Errno> {
      return Errno.ENOMEM;
    };
    expect(errnoOf(drm.run(driver.find(AREA + 32)))).toBe(Errno.OK);
    expect(errnoOf(drm.run(driver.find(AREA + 64)))).toBe(Errno.ENOMEM);
  });

  it('is -ENOENT where nothing is mapped', () => {
    expect(errnoOf(drm.run(driver.find(AREA)))).toBe(Errno.ENOENT);
  });

  it('is -EPERM in a read-only area, unless the context is for reading', () => {
    drm.map(AREA, 16, Prot.Read);
    expect(errnoOf(drm.run(driver.find(AREA)))).toBe(Errno.EPERM);
    expect(errnoOf(drm.run(driver.find(AREA, { readOnly: true })))).toBe(Errno.OK);
  });

  it('is -EPERM rather than the existing range, once the area has become read-only', () => {
    drm.map(AREA, 16);
    driver.rangeAt(AREA);
    protect(AREA, 16, Prot.Read);
    expect(errnoOf(drm.run(driver.find(AREA)))).toBe(Errno.EPERM);
  });

  it('returns an existing range as it is, even if it was unmapped or would not fit any more', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    inCallback(() =>
      driver.gpusvm.rangeSetUnmapped(
        range,
        [],
        0,
        notifierRange(NotifyEvent.Unmap, vpn(AREA), vpn(AREA + 1)),
      ),
    );
    const again = drm.run(driver.find(AREA + 3, {}, AREA + 3, AREA + 4));
    expect(again).toEqual({ range });
    expect(range.unmapped).toBe(true);
  });

  it('is -EINVAL when not even a page fits in the mirror area', () => {
    drm.map(AREA, 16);
    expect(errnoOf(drm.run(driver.find(AREA, {}, AREA + 1, AREA + 16)))).toBe(Errno.EINVAL);
    expect(errnoOf(drm.run(driver.find(AREA, {}, 0, AREA)))).toBe(Errno.EINVAL);
  });

  it.each<[string, () => Steps<RangeResult>, Errno]>([
    ['no area', () => driver.find(AREA + 64), Errno.ENOENT],
    ['a read-only area', () => driver.find(AREA + 128), Errno.EPERM],
    ['no room', () => driver.find(AREA, {}, 0, AREA), Errno.EINVAL],
  ])('takes a new notifier away again after %s', (_, find, errno) => {
    drm.map(AREA, 16);
    drm.map(AREA + 128, 16, Prot.Read);
    expect(errnoOf(drm.run(find()))).toBe(errno);
    expect(drm.mm.notifiers.intervals).toBe(0);
    expect(driver.gpusvm.notifiers.size).toBe(0);
    expect([drm.mm.users, drm.mm.count]).toEqual([1, 2]);
  });

  it('leaves a notifier that was there before', () => {
    drm.map(AREA, 16);
    driver.rangeAt(AREA);
    expect(errnoOf(drm.run(driver.find(AREA + 32)))).toBe(Errno.ENOENT);
    expect(drm.mm.notifiers.intervals).toBe(1);
    expect(driver.gpusvm.notifiers.size).toBe(1);
  });

  it('inserts the interval before it takes mmap_lock, and the notifier in its tree last', () => {
    drm.map(AREA, 16);
    driver.rangeAt(AREA);
    drm.map(AREA + 64, 16);
    const callbacksSeen: boolean[] = [];
    const blocker = function* (): Steps<void> {
      yield* drm.mm.mmapLock.write();
      yield* drm.kernel.sched.sleep(100);
      callbacksSeen.push(
        drm.mm.notifiers.intervals === 2,
        driver.gpusvm.findNotifier(vpn(AREA + 64)) === null,
      );
      const range = notifierRange(NotifyEvent.Clear, vpn(AREA + 64), vpn(AREA + 65));
      // A callback of a notifier that is in no tree yet finds no ranges.
      yield* drm.mm.notifiers.invalidateStart(range);
      yield* drm.mm.notifiers.invalidateEnd(range);
      drm.mm.mmapLock.writeUnlock();
    };
    spawn(drm.kernel, 'blocker', blocker());
    const finder = function* (): Steps<void> {
      yield* drm.kernel.sched.sleep(10);
      expect(spanOf(yield* driver.find(AREA + 64))).toBe(`${AREA + 64}+16`);
    };
    spawn(drm.kernel, 'finder', finder());
    settle(drm.kernel);
    expect(callbacksSeen).toEqual([true, true]);
    expect(driver.gpusvm.findNotifier(vpn(AREA + 64))).not.toBe(null);
  });

  it('wants device memory only if the driver does', () => {
    drm.map(AREA, 32);
    expect(driver.rangeAt(AREA, { devmemPossible: true }).migrateDevmem).toBe(true);
    expect(driver.rangeAt(AREA + 16).migrateDevmem).toBe(false);
  });
});

describe('the size of a range', () => {
  interface Case {
    readonly what: string;
    /** First page and pages of the area, and of ranges that are there. */
    readonly area: [number, number];
    readonly page: number;
    readonly mirror?: [number, number];
    readonly existing?: number[];
    readonly span: string;
  }
  const cases: Case[] = [
    { what: 'the largest chunk that fits', area: [AREA, 64], page: AREA + 20, span: `${AREA + 16}+16` },
    {
      what: 'smaller below the start of the area',
      area: [AREA + 8, 56],
      page: AREA + 13,
      span: `${AREA + 12}+4`,
    },
    { what: 'smaller above its end', area: [AREA, 28], page: AREA + 20, span: `${AREA + 20}+4` },
    { what: 'one page if nothing else fits', area: [AREA + 1, 2], page: AREA + 2, span: `${AREA + 2}+1` },
    {
      what: 'limited by the mirror area below',
      area: [AREA, 64],
      page: AREA + 5,
      mirror: [AREA + 4, AREA + 64],
      span: `${AREA + 4}+4`,
    },
    {
      what: 'limited by the mirror area above',
      area: [AREA, 64],
      page: AREA + 5,
      mirror: [AREA, AREA + 7],
      span: `${AREA + 5}+1`,
    },
    {
      what: 'smaller where a range is in the way',
      area: [AREA, 64],
      page: AREA + 9,
      existing: [AREA + 1],
      span: `${AREA + 8}+4`,
    },
    {
      what: 'one page beside a range of one page',
      area: [AREA, 64],
      page: AREA + 2,
      existing: [AREA + 1],
      span: `${AREA + 2}+1`,
    },
    {
      what: 'the largest chunk beside a range that only touches it',
      area: [AREA, 64],
      page: AREA + 16,
      existing: [AREA + 15],
      span: `${AREA + 16}+16`,
    },
  ];

  it.each(cases)('is $what', ({ area, page, mirror, existing = [], span }) => {
    drm.map(area[0], area[1]);
    for (const at of existing) drm.run(driver.find(at, {}, at, at + 1));
    const [low, high] = mirror ?? [0, 2 ** 35];
    expect(spanOf(drm.run(driver.find(page, {}, low, high)))).toBe(span);
  });

  it.each([
    [AREA + 9, `${AREA + 8}+4`],
    [AREA + 1, `${AREA}+4`],
  ])('never crosses its notifier (page %i)', (page, span) => {
    drm.map(AREA, 64);
    const narrow = new TestDriver(drm, { notifierPages: 8, chunkPages: [16, 4, 1] });
    const result = drm.run(narrow.find(page));
    expect(spanOf(result)).toBe(span);
    const start = page - (page % 8);
    expect('range' in result && [result.range.notifier.start, result.range.notifier.end]).toEqual([
      start,
      start + 8,
    ]);
  });

  describe('with a threshold for checking pages', () => {
    const threshold = { checkPagesThreshold: 4 };

    it('is the smaller chunk where not all pages are there', () => {
      drm.map(AREA, 4);
      drm.touch(AREA);
      expect(spanOf(drm.run(driver.find(AREA, threshold)))).toBe(`${AREA}+1`);
    });

    it('is the chunk when all pages are there, be it in RAM, as zeros, or in own device memory', () => {
      drm.mapFilled(AREA, 3);
      drm.map(AREA + 3, 1);
      drm.run(drm.cpu.load(AREA + 3));
      expect(drm.run(drm.gpus[0].migrateHere(AREA + 1, 1))).toBe(Errno.OK);
      const owner = drm.gpus[0].dpagemap.pagemap.owner;
      expect(drm.places(AREA, 4)).toEqual(['ram', 'vram0', 'ram', 'zero']);
      expect(spanOf(drm.run(driver.find(AREA, { ...threshold, owner })))).toBe(`${AREA}+4`);
    });

    it('is the smaller chunk when a page is on a device of another owner, and leaves it there', () => {
      drm.mapFilled(AREA, 4);
      expect(drm.run(drm.gpus[0].migrateHere(AREA + 1, 1))).toBe(Errno.OK);
      expect(spanOf(drm.run(driver.find(AREA, threshold)))).toBe(`${AREA}+1`);
      expect(drm.places(AREA + 1, 1)).toEqual(['vram0']);
    });

    it('is the smaller chunk without memory for a look', () => {
      drm.mapFilled(AREA, 4);
      drm.mapFilled(AREA + 8, 1);
      // So that the window has its notifier.
      driver.rangeAt(AREA + 8);
      drm.kernel.injectFailures(failing());
      expect(spanOf(drm.run(driver.find(AREA, threshold)))).toBe(`${AREA}+1`);
      drm.kernel.injectFailures(null);
    });

    it('does not look into larger chunks', () => {
      drm.map(AREA, 16);
      expect(spanOf(drm.run(driver.find(AREA, threshold)))).toBe(`${AREA}+16`);
      expect(drm.places(AREA, 16)).toEqual(new Array(16).fill('none'));
    });
  });
});

describe('a callback', () => {
  const clear = (start: number, end: number): NotifierRange =>
    notifierRange(NotifyEvent.Clear, vpn(start), vpn(end));

  it('reaches the driver with the notifier lock for write, and updates the sequence', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    const before = range.notifier.interval.invalidateSeq;
    drm.run(drm.mm.notifiers.invalidateStart(clear(AREA, AREA + 1)));
    expect(driver.events).toEqual([`CLEAR ${AREA}+1`]);
    expect(range.notifier.interval.invalidateSeq).toBeGreaterThan(before);
    drm.run(drm.mm.notifiers.invalidateEnd(clear(AREA, AREA + 1)));
  });

  it('refuses a non-blockable invalidation without touching anything', () => {
    drm.map(AREA, 16);
    const { interval } = driver.rangeAt(AREA).notifier;
    const before = interval.invalidateSeq;
    const errno = drm.run(drm.mm.notifiers.invalidateStart({ ...clear(AREA, AREA + 1), blockable: false }));
    expect(errno).toBe(Errno.EAGAIN);
    expect(driver.events).toEqual([]);
    expect(interval.invalidateSeq).toBe(before);
  });

  it("does not ignore the device's own migrations", () => {
    drm.mapFilled(AREA, 16);
    driver.rangeAt(AREA);
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    expect(driver.events).toEqual([`MIGRATE ${AREA}+16`]);
  });
});

describe('range_set_unmapped', () => {
  const unmap = (start: number, end: number): NotifierRange =>
    notifierRange(NotifyEvent.Unmap, vpn(start), vpn(end));

  it('marks the range and the pages of all devices at once', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    inCallback(() => driver.gpusvm.rangeSetUnmapped(range, driver.pagesOf(range), 2, unmap(AREA, AREA + 16)));
    expect([range.unmapped, range.partialUnmap]).toEqual([true, false]);
    expect(driver.pagesOf(range).map((pages) => pages.has(PagesFlag.Unmapped))).toEqual([true, true]);
  });

  it.each([
    ['its start', AREA, AREA + 15],
    ['its end', AREA + 1, AREA + 16],
    ['its middle', AREA + 4, AREA + 8],
  ])('notes that only %s was unmapped', (_, start, end) => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    inCallback(() => driver.gpusvm.rangeSetUnmapped(range, [], 0, unmap(start, end)));
    expect(range.partialUnmap).toBe(true);
  });

  it('is not partial when more than the range was unmapped', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    inCallback(() => driver.gpusvm.rangeSetUnmapped(range, [], 0, unmap(AREA - 5, AREA + 50)));
    expect(range.partialUnmap).toBe(false);
  });

  it('needs the notifier lock for write', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    const withoutLock = function* (): Steps<void> {
      driver.gpusvm.rangeSetUnmapped(range, [], 0, unmap(AREA, AREA + 16));
    };
    expect(() => drm.run(withoutLock())).toThrow('must be held for write');
  });
});

describe('range_evict', () => {
  it('brings all pages to RAM, whoever owns them, and faults holes in', () => {
    drm.mapFilled(AREA, 8);
    drm.map(AREA + 8, 8);
    const range = driver.rangeAt(AREA);
    drm.run(drm.gpus[0].migrateHere(AREA, 4));
    drm.run(drm.gpus[1].migrateHere(AREA + 4, 4));
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.OK);
    expect(drm.places(AREA, 16)).toEqual([...new Array(8).fill('ram'), ...new Array(8).fill('zero')]);
    expect(drm.read(AREA, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((i) => AREA + i));
    drm.checkAtRest();
  });

  it('is -EFAULT where the mapping is gone', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    munmap(AREA + 15, 1);
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.EFAULT);
    expect(drm.mm.users).toBe(1);
  });

  it('is -EFAULT when the address space is gone', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    drm.mm.users = 0;
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.EFAULT);
  });

  it('is -ENOMEM without memory for a look at the pages, and keeps no user of the address space', () => {
    drm.mapFilled(AREA, 16);
    const range = driver.rangeAt(AREA);
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    drm.kernel.injectFailures(failing());
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.ENOMEM);
    drm.kernel.injectFailures(null);
    expect([drm.mm.users, drm.places(AREA, 1)]).toEqual([1, ['vram0']]);
    drm.checkAtRest();
  });

  it('is -ETIME when invalidations keep it from ending for a second', () => {
    const slow = new DrmMachine({
      costs: { cpuFaultNs: 0, migratePageNs: 0, hmmPageNs: 20_000_000, tlbShootdownNs: 0, syscallNs: 0 },
    });
    const other = new TestDriver(slow);
    slow.mapFilled(AREA, 16);
    const range = other.rangeAt(AREA);
    const { interval } = range.notifier;
    slow.hmm.fault = function* (): Steps<Errno> {
      yield* slow.kernel.sched.sleep(300_000_000);
      interval.setSeq(interval.invalidateSeq - 2);
      return Errno.EBUSY;
    };
    expect(slow.run(other.gpusvm.rangeEvict(range))).toBe(Errno.ETIME);
    expect([slow.mm.users, slow.mm.mmapLock.isLocked]).toEqual([1, false]);
  });

  it('waits for a timeslice to end rather than fail', () => {
    drm.mapFilled(AREA, 16);
    const range = driver.rangeAt(AREA);
    drm.run(drm.gpus[0].migrateHere(AREA, 16, { timesliceNs: 50_000 }));
    const before = drm.kernel.sched.now();
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.OK);
    expect(drm.kernel.sched.now() - before).toBeGreaterThanOrEqual(49_000);
    expect(drm.places(AREA, 1)).toEqual(['ram']);
  });
});

describe('look-ups', () => {
  beforeEach(() => {
    drm.map(AREA, 256);
    driver.rangeAt(AREA + 16);
    driver.rangeAt(AREA + 64);
  });

  it.each([
    [0, 16, false],
    [0, 17, true],
    [16, 17, true],
    [31, 32, true],
    [32, 64, false],
    [31, 65, true],
    [80, 256, false],
    [79, 80, true],
  ])('has_mapping [%i, %i) is %s', (start, end, expected) => {
    expect(driver.gpusvm.hasMapping(vpn(AREA + start), vpn(AREA + end))).toBe(expected);
  });

  it('find the range and the notifier that contain a page, not their neighbours', () => {
    const spanAt = (page: number): Vpn | undefined => driver.gpusvm.findRange(vpn(page))?.start;
    expect([15, 16, 31, 32, 63, 64].map((i) => spanAt(AREA + i))).toEqual([
      undefined,
      AREA + 16,
      AREA + 16,
      undefined,
      undefined,
      AREA + 64,
    ]);
    expect(driver.gpusvm.findNotifier(vpn(AREA + 63))?.start).toBe(AREA);
    expect(driver.gpusvm.findNotifier(vpn(AREA + 64))?.start).toBe(AREA + 64);
    expect(driver.gpusvm.findNotifier(vpn(AREA + 128))).toBe(null);
    expect(driver.gpusvm.findNotifier(vpn(AREA - 1))).toBe(null);
  });

  it('list all ranges in order of address', () => {
    driver.rangeAt(AREA);
    expect([...driver.gpusvm.allRanges()].map(({ start }) => start - AREA)).toEqual([0, 16, 64]);
  });
});

describe('range_remove', () => {
  it('takes the range out and lets go of it; somebody else may still hold it', () => {
    drm.map(AREA, 32);
    const range = driver.rangeAt(AREA);
    const neighbour = driver.rangeAt(AREA + 16);
    driver.gpusvm.rangeGet(range);
    drm.run(driver.remove(range));
    expect(driver.gpusvm.findRange(vpn(AREA))).toBe(null);
    expect(driver.freed).toEqual([]);
    driver.gpusvm.rangePut(range);
    expect(driver.freed).toEqual([range]);
    expect(driver.gpusvm.findRange(vpn(AREA + 16))).toBe(neighbour);
    expect(drm.mm.notifiers.intervals).toBe(1);
  });

  it('removes the notifier with its last range', () => {
    drm.map(AREA, 32);
    const ranges = [driver.rangeAt(AREA), driver.rangeAt(AREA + 16)];
    for (const range of ranges) drm.run(driver.remove(range));
    expect(drm.mm.notifiers.intervals).toBe(0);
    expect(driver.gpusvm.notifiers.size).toBe(0);
    expect(drm.mm.count).toBe(2);
  });

  it('of the last range waits for an invalidation that runs', () => {
    drm.map(AREA, 32);
    const range = driver.rangeAt(AREA);
    const running = notifierRange(NotifyEvent.Clear, vpn(AREA), vpn(AREA + 1));
    drm.run(drm.mm.notifiers.invalidateStart(running));
    const removal = spawn(drm.kernel, 'removal', driver.remove(range));
    settle(drm.kernel);
    expect(removal.state).toBe('blocked');
    spawn(drm.kernel, 'end', drm.mm.notifiers.invalidateEnd(running));
    settle(drm.kernel);
    expect(removal.state).toBe('done');
  });

  it('makes room for a new range where the old one was unmapped', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    munmap(AREA, 8);
    expect(driver.unmapped).toEqual([range]);
    drm.map(AREA, 8);
    expect(driver.rangeAt(AREA)).toBe(range);
    drm.run(driver.remove(range));
    expect(driver.rangeAt(AREA)).not.toBe(range);
  });

  it('needs the lock of the driver', () => {
    drm.map(AREA, 16);
    const range: GpuSvmRange = driver.rangeAt(AREA);
    expect(() => drm.run(driver.gpusvm.rangeRemove(range))).toThrow('must be held');
  });
});

describe('fini', () => {
  it('removes all ranges and notifiers and lets go of the mm', () => {
    drm.map(AREA, 256);
    for (const at of [0, 16, 64, 128]) driver.rangeAt(AREA + at);
    drm.run(driver.fini());
    expect(driver.freed).toHaveLength(4);
    expect([driver.gpusvm.notifiers.size, drm.mm.notifiers.intervals, drm.mm.count]).toEqual([0, 0, 1]);
  });

  it('of a mirror that was never used only lets go of the mm', () => {
    drm.run(driver.fini());
    expect(drm.mm.count).toBe(1);
  });

  it('may come after the end of the address space, which has emptied the mirror', () => {
    drm.mapFilled(AREA, 16);
    const range = driver.rangeAt(AREA);
    drm.run(driver.getPages(range));
    drm.run(drm.machine.calls.exit.mmput(drm.mm));
    expect(driver.events.map((event) => event.split(' ')[0])).toEqual(['RELEASE', 'UNMAP']);
    expect(drm.gpus[0].system.size).toBe(0);
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    expect(errnoOf(drm.run(driver.find(AREA)))).toBe(Errno.EFAULT);
    drm.run(driver.fini());
    expect([drm.mm.users, drm.mm.count]).toEqual([0, 0]);
  });

  it('lets no callback come afterwards', () => {
    drm.map(AREA, 16);
    driver.rangeAt(AREA);
    drm.run(driver.fini());
    munmap(AREA, 16);
    expect(driver.events).toEqual([]);
  });
});
