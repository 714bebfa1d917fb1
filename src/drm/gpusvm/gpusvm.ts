/** drm_gpusvm: mirrors an address space in ranges, each with a notifier window and one pages object per device. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { IntervalTree } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { HmmPfnFlag } from '../../memory/pfn.js';
import { NO_OWNER } from '../../mm/migrate/devPagemap.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { NotifierRange } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import { LockClass } from '../../sim/lockOrder.js';
import { RwLock } from '../../sim/rwLock.js';
import type { Scheduler } from '../../sim/scheduler.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import { type GpuSvmContext, HMM_TIMEOUT_NS } from './context.js';
import { GpuSvmStep } from './gpusvmStep.js';
import { hmmRequest } from './hmmRequest.js';
import type { GpuSvmNotifier } from './notifier.js';
import type { GpuSvmPages } from './pages.js';
import type { GpuSvmRange } from './range.js';
import { RangeFinder, type RangeResult } from './rangeFinder.js';

export { defaultContext, type GpuSvmContext, HMM_TIMEOUT_NS, type SharedPages } from './context.js';
export type { RangeResult } from './rangeFinder.js';

const notifierLockClass = new LockClass('gpusvm notifier_lock');

export interface GpuSvmConfig {
  /** Of the mirror, in messages. @kernel drm_gpusvm.name */
  readonly name: string;
  /** First page of the managed window. @kernel drm_gpusvm.mm_start */
  readonly start: Vpn;
  /** Pages of the managed window. @kernel drm_gpusvm.mm_range */
  readonly npages: number;
  /** Pages of a notifier's window; a power of two. @kernel drm_gpusvm.notifier_size */
  readonly notifierPages: number;
  /** Sizes that ranges may have, in pages: descending powers of two, the last 1. @kernel drm_gpusvm.chunk_sizes, drm_gpusvm.num_chunks */
  readonly chunkPages: readonly number[];
}

/** A gpusvm that holds pages only, for notifiers and address spaces that its driver names call by call. */
export function pagesOnly(name: string): GpuSvmConfig {
  return { name, start: 0 as Vpn, npages: 0, notifierPages: 0, chunkPages: [] };
}

/** What the driver does for a mirror. @kernel drm_gpusvm_ops */
export interface GpuSvmOps {
  /**
   * Called with the notifier lock held for write; must leave no device translation or DMA mapping of the span.
   * @kernel drm_gpusvm_ops.invalidate
   */
  invalidate(gpusvm: GpuSvm, notifier: GpuSvmNotifier, range: NotifierRange): Steps<void>;
  /** A driver's own kind of notifier; null without memory. Never sleeps. @kernel drm_gpusvm_ops.notifier_alloc */
  notifierAlloc?(gpusvm: GpuSvm, start: Vpn, end: Vpn): GpuSvmNotifier | null;
  /** No callback comes any more. Never sleeps. @kernel drm_gpusvm_ops.notifier_free */
  notifierFree?(notifier: GpuSvmNotifier): void;
  /** A driver's own kind of range; null without memory. Never sleeps. @kernel drm_gpusvm_ops.range_alloc */
  rangeAlloc?(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, migrateDevmem: boolean): GpuSvmRange | null;
  /** The range's last reference is gone; the driver frees what it keeps for it. Never sleeps. @kernel drm_gpusvm_ops.range_free */
  rangeFree?(range: GpuSvmRange): void;
}

const noOps: GpuSvmOps = {
  *invalidate() {
    assert(false, 'a gpusvm without an address space gets no callbacks');
  },
};

/** The driver's lock around find, insert and remove. */
export interface DriverLock {
  assertHeld(): void;
}

/**
 * Locks: the driver's svm lock guards the trees of notifiers and ranges; the notifier lock guards the pages (read to map and commit, write
 * in the callback). Order: driver's lock, mmap_lock, notifier lock. @kernel drm_gpusvm
 */
export class GpuSvm {
  /** Read: pages are mapped and bindings committed. Write: the callback. @kernel drm_gpusvm.notifier_lock, drm_gpusvm_notifier_lock, drm_gpusvm_notifier_unlock */
  readonly notifierLock: RwLock;
  /** By address. @kernel drm_gpusvm.root, drm_gpusvm.notifier_list */
  readonly notifiers = new IntervalTree<GpuSvmNotifier>();
  /** Of all windows, by address: a range never leaves its window. Notifiers insert and remove. */
  readonly ranges = new IntervalTree<GpuSvmRange>();
  /** How ranges are found and made; null where there is no address space. */
  readonly finder: RangeFinder | null;
  /** Which lock guards the trees; null where the driver has not said so. @kernel drm_gpusvm.lock_dep_map */
  private driverLock: DriverLock | null = null;

  private constructor(
    readonly sched: Scheduler,
    readonly config: GpuSvmConfig,
    /** The address space, of which a reference is held; null for pages only. @kernel drm_gpusvm.mm */
    readonly mm: Mm | null,
    private readonly hmm: Hmm,
    /** The driver's. @kernel drm_gpusvm.ops */
    readonly ops: GpuSvmOps,
  ) {
    this.notifierLock = new RwLock(sched, `notifier_lock of ${config.name}`, notifierLockClass);
    this.finder = mm === null ? null : new RangeFinder(this, mm, hmm);
    mm?.grab();
  }

  /**
   * With an address space: a mirror, which takes a reference. Without: only get-pages, unmap and free work, and the driver brings notifiers
   * of its own, as for userptr. Error: -EINVAL, no ops or chunks for a mirror, or any of window, notifier size, ops and chunks without one.
   * @kernel drm_gpusvm_init
   */
  static init(
    sched: Scheduler,
    config: GpuSvmConfig,
    mm: Mm | null,
    hmm: Hmm,
    ops: GpuSvmOps | null,
  ): GpuSvm | Errno {
    const { start, npages, notifierPages, chunkPages } = config;
    if (mm !== null) {
      if (ops === null || chunkPages.length === 0) return Errno.EINVAL;
      return new GpuSvm(sched, config, mm, hmm, ops);
    }
    const isBare = start === 0 && npages === 0 && notifierPages === 0 && chunkPages.length === 0;
    return ops === null && isBare ? new GpuSvm(sched, config, null, hmm, noOps) : Errno.EINVAL;
  }

  /** From now on find, insert and remove assert that the lock is held. Once per gpusvm. @kernel drm_gpusvm_driver_set_lock */
  driverSetLock(lock: DriverLock): void {
    assert(this.driverLock === null, 'the lock of a gpusvm is set once');
    this.driverLock = lock;
  }

  /** Asserts that the driver holds its lock, once it has said which. @kernel drm_gpusvm_driver_lock_held */
  driverLockHeld(): void {
    this.driverLock?.assertHeld();
  }

  /**
   * Removes what is left. The driver has unmapped the pages of all ranges before, and holds its lock.
   * @kernel drm_gpusvm_fini
   */
  *fini(): Steps<void> {
    this.driverLockHeld();
    for (const notifier of this.notifiersInSafe(0, Number.POSITIVE_INFINITY)) {
      // First, so that no invalidation comes while the ranges go.
      yield* this.space.notifiers.remove(notifier.interval);
      notifier.removed = true;
      for (const range of notifier.rangesInSafe(notifier.start, notifier.end)) yield* this.rangeRemove(range);
    }
    this.mm?.drop();
    assert(this.notifiers.size === 0, 'gpusvm ends with notifiers');
  }

  /**
   * The interval callback. It never filters by owner: the device's own migrations must tear its mappings down too.
   * @kernel drm_gpusvm_notifier_invalidate
   */
  *notifierInvalidate(notifier: GpuSvmNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    if (!range.blockable) return false;
    const startedNs = this.sched.now();
    if (!this.notifierLock.beginWrite()) yield PARK;
    notifier.interval.setSeq(curSeq);
    yield* this.ops.invalidate(this, notifier, range);
    this.notifierLock.writeUnlock();
    const npages = range.end - range.start;
    this.sched.at(GpuSvmStep.invalidate, range.start, npages, range.event, this.sched.now() - startedNs);
    return true;
  }

  /** The first notifier that has a page of the half-open span. @kernel drm_gpusvm_notifier_find */
  notifierFind(start: Vpn, end: number): GpuSvmNotifier | null {
    return this.notifiers.firstValue(start, end);
  }

  findNotifier(page: Vpn): GpuSvmNotifier | null {
    return this.notifierFind(page, page + 1);
  }

  /** Its window need not be looked for first. */
  findRange(page: Vpn): GpuSvmRange | null {
    return this.ranges.firstValue(page, page + 1);
  }

  /** Whether any range lies in the half-open span. @kernel drm_gpusvm_has_mapping */
  hasMapping(start: Vpn, end: Vpn): boolean {
    return this.ranges.firstValue(start, end) !== null;
  }

  /** Where the first area in the half-open span begins, which may be before it; null for none. @kernel drm_gpusvm_find_vma_start */
  *findVmaStart(start: Vpn, end: Vpn): Steps<Vpn | null> {
    const mm = this.space;
    if (!mm.getNotZero()) return null;
    if (!mm.mmapLock.beginRead()) yield PARK;
    const vma = mm.vmas.firstIn(start, end);
    mm.mmapLock.readUnlock();
    mm.put();
    return vma?.start ?? null;
  }

  /** Those that have a page of the half-open span, in order of address. @kernel drm_gpusvm_for_each_notifier, __drm_gpusvm_notifier_next */
  *notifiersIn(start: number, end: number): Generator<GpuSvmNotifier, void, void> {
    let node = this.notifiers.firstOverlap(start, end);
    for (; node !== null; node = this.notifiers.nextOverlap(node, start, end)) yield node.value;
  }

  /** The same for who removes the notifier at hand. @kernel drm_gpusvm_for_each_notifier_safe */
  *notifiersInSafe(start: number, end: number): Generator<GpuSvmNotifier, void, void> {
    let node = this.notifiers.firstOverlap(start, end);
    while (node !== null) {
      const next = this.notifiers.nextOverlap(node, start, end);
      yield node.value;
      node = next;
    }
  }

  /** Those that have a page of the half-open span, in order of address. */
  *rangesIn(start: number, end: number): Generator<GpuSvmRange, void, void> {
    let node = start < end ? this.ranges.firstOverlap(start, end) : null;
    for (; node !== null; node = this.ranges.nextOverlap(node, start, end)) yield node.value;
  }

  /** The same for who removes the range at hand. */
  *rangesInSafe(start: number, end: number): Generator<GpuSvmRange, void, void> {
    let node = start < end ? this.ranges.firstOverlap(start, end) : null;
    while (node !== null) {
      const next = this.ranges.nextOverlap(node, start, end);
      yield node.value;
      node = next;
    }
  }

  *allRanges(): IterableIterator<GpuSvmRange> {
    for (const { value: range } of this.ranges) yield range;
  }

  /**
   * The range for a fault at `page`, at most as large as the mirror area [gpuvaStart, gpuvaEnd) allows. The driver's lock is held. An
   * existing range comes back as it is, even if it is already flagged unmapped. Errors: -EINVAL (outside the window, or nothing fits),
   * -EFAULT (the address space is gone), -ENOENT (no area), -EPERM (not writable), -ENOMEM, or the error of the notifier's insertion.
   * @kernel drm_gpusvm_range_find_or_insert
   */
  *rangeFindOrInsert(page: Vpn, gpuvaStart: Vpn, gpuvaEnd: Vpn, ctx: GpuSvmContext): Steps<RangeResult> {
    this.driverLockHeld();
    const { finder, space } = this;
    assert(finder !== null, 'a gpusvm without an address space has no ranges');
    if (this.sched.reach(GpuSvmStep.findOrInsert, page, space.id)) yield STEP;
    if (!this.manages(page)) return { errno: Errno.EINVAL };
    if (!space.getNotZero()) return { errno: Errno.EFAULT };
    const result = yield* finder.findOrInsert({ page, gpuvaStart, gpuvaEnd }, ctx);
    space.put();
    return result;
  }

  /** The page lies in the managed window; the one past it passes, as in the kernel. */
  manages(page: Vpn): boolean {
    const { start, npages } = this.config;
    return page >= start && page <= start + npages;
  }

  /**
   * Takes the range out of the tree; the last one of a notifier takes the notifier along. The driver has unmapped its pages and holds its
   * lock. Never from the callback, which the notifier's removal waits for.
   * @kernel drm_gpusvm_range_remove
   */
  *rangeRemove(range: GpuSvmRange): Steps<void> {
    this.driverLockHeld();
    const { notifier } = range;
    assert(range.node !== null, 'range is removed twice');
    assert(this.findNotifier(range.start) === notifier, 'a range outside its notifier');
    if (!this.notifierLock.beginRead()) yield PARK;
    this.rangeUnlink(notifier, range);
    this.notifierLock.readUnlock();
    if (this.sched.reach(GpuSvmStep.rangeRemoved, range.start, range.npages, this.space.id)) yield STEP;
    this.rangePut(range);
    if (notifier.rangeCount === 0) yield* this.notifierRemove(notifier);
  }

  /** Out of the notifier's tree; both locks are held. @kernel __drm_gpusvm_range_remove */
  rangeUnlink(notifier: GpuSvmNotifier, range: GpuSvmRange): void {
    notifier.removeRange(range);
  }

  /** Ends the callbacks, unless that was done before, and takes the window out of the tree. @kernel drm_gpusvm_notifier_remove */
  *notifierRemove(notifier: GpuSvmNotifier): Steps<void> {
    if (!notifier.removed) yield* this.space.notifiers.remove(notifier.interval);
    assert(notifier.node !== null, 'notifier is removed twice');
    this.notifiers.remove(notifier.node);
    notifier.node = null;
    this.sched.at(GpuSvmStep.notifierRemoved, notifier.start, notifier.npages, this.space.id);
    this.notifierFree(notifier);
  }

  notifierFree(notifier: GpuSvmNotifier): void {
    assert(notifier.rangeCount === 0, 'a notifier is freed with ranges');
    this.ops.notifierFree?.(notifier);
  }

  /** One more reference: the range outlives its removal. @kernel drm_gpusvm_range_get */
  rangeGet(range: GpuSvmRange): GpuSvmRange {
    assert(range.refs > 0, 'range is gone');
    range.refs++;
    return range;
  }

  /** The last reference destroys the range; it never goes in the callback. @kernel drm_gpusvm_range_put */
  rangePut(range: GpuSvmRange): void {
    assert(range.refs > 0, 'range is put once too often');
    range.refs--;
    if (range.refs === 0) this.rangeDestroy(range);
  }

  /** Nobody has the range any more. @kernel drm_gpusvm_range_destroy */
  rangeDestroy(range: GpuSvmRange): void {
    this.ops.rangeFree?.(range);
  }

  /**
   * Marks a range that was unmapped, wholly or in part, and the first `count` of its pages objects, which are all, in one go. From the
   * callback, with the notifier lock for write.
   * @kernel drm_gpusvm_range_set_unmapped
   */
  rangeSetUnmapped(
    range: GpuSvmRange,
    pages: readonly GpuSvmPages[],
    count: number,
    event: NotifierRange,
  ): void {
    this.notifierLock.assertHeldForWrite();
    range.unmapped = true;
    if (range.start < event.start || range.end > event.end) range.partialUnmap = true;
    for (let i = 0; i < count; i++) pages[i].markUnmapped();
    this.sched.at(GpuSvmStep.setUnmapped, range.start, range.npages, count);
  }

  /**
   * Brings all pages of the range to RAM through CPU faults, as if nobody owned them. Errors: -EFAULT (the address space or the mapping is
   * gone), -EPERM, -ENOMEM, -ETIME.
   * @kernel drm_gpusvm_range_evict
   */
  *rangeEvict(range: GpuSvmRange): Steps<Errno> {
    const mm = this.space;
    const { start, end, npages } = range;
    if (!mm.getNotZero()) return Errno.EFAULT;
    let faulted: Errno = Errno.ENOMEM;
    if (!mm.kernel.allocationFails(AllocSite.MirrorObject)) {
      const pfns = new Uint32Array(npages);
      const { interval } = range.notifier;
      const request = hmmRequest(mm, interval, start, end, pfns, HmmPfnFlag.REQ_FAULT, NO_OWNER);
      faulted = yield* this.hmm.rangeFaultUnlocked(request, HMM_TIMEOUT_NS);
    }
    mm.put();
    const errno = faulted === Errno.EBUSY ? Errno.ETIME : faulted;
    this.sched.at(GpuSvmStep.evict, start, npages, errno);
    return errno;
  }

  private get space(): Mm {
    assert(this.mm !== null, 'a gpusvm without an address space has no ranges');
    return this.mm;
  }
}
