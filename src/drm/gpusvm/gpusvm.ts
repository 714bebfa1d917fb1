/** drm_gpusvm: mirrors an address space in ranges, each with a notifier window and one pages object per device. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { IntervalTree } from '../../base/intervalTree.js';
import { alignDown, alignUp, type Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { HmmPfnFlag } from '../../memory/pfn.js';
import { type Vma, VmFlag } from '../../mm/area/vma.js';
import { NO_OWNER, type PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { Hmm, HmmRange } from '../../mm/mirror/hmm.js';
import type { IntervalNotifier, IntervalNotifierOps, NotifierRange } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import { LockClass } from '../../sim/lockOrder.js';
import { RwLock } from '../../sim/rwLock.js';
import type { Scheduler } from '../../sim/scheduler.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { GpuSvmStep } from './gpusvmStep.js';
import { GpuSvmNotifier } from './notifier.js';
import type { GpuSvmPages } from './pages.js';
import type { GpuSvmRange } from './range.js';

const notifierLockClass = new LockClass('gpusvm notifier_lock');

/** HMM may fault on behalf of a range for this long before it gives up. @kernel HMM_RANGE_DEFAULT_TIMEOUT */
export const HMM_TIMEOUT_NS = 1_000_000_000;

export interface GpuSvmConfig {
  readonly name: string;
  /** The managed window. */
  readonly start: Vpn;
  readonly npages: number;
  /** Power of two. */
  readonly notifierPages: number;
  /** Descending powers of two, the last 1. */
  readonly chunkPages: readonly number[];
}

/** @kernel drm_gpusvm_ops */
export interface GpuSvmOps {
  /** Called with the notifier lock held for write; must leave no device translation or DMA mapping of the span. @kernel invalidate */
  invalidate(gpusvm: GpuSvm, notifier: GpuSvmNotifier, range: NotifierRange): Steps<void>;
  /** Makes the range, or a driver's own kind of it. Never sleeps. @kernel range_alloc */
  rangeAlloc(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, migrateDevmem: boolean): GpuSvmRange;
  /** The range's last reference is gone; the driver frees what it keeps for it. Never sleeps. @kernel range_free */
  rangeFree(range: GpuSvmRange): void;
}

/** @kernel drm_gpusvm_ctx */
export interface GpuSvmContext {
  /** Ranges of at most this many pages are only made where all pages are there already. */
  readonly checkPagesThreshold: number;
  readonly timesliceNs: number;
  /** Whose device-private pages count as own. */
  readonly owner: PagemapOwner;
  /** The caller is the invalidation callback and holds the notifier lock for write. */
  readonly inNotifier: boolean;
  readonly readOnly: boolean;
  readonly devmemPossible: boolean;
  readonly devmemOnly: boolean;
  readonly allowMixed: boolean;
  /** Other devices' objects of the same range, for which the pages that one HMM fault has found are mapped too; none unless told. */
  readonly others?: readonly SharedPages[];
}

/** Another device that mirrors a range, as far as a fault of one device serves it. */
export interface SharedPages {
  readonly pages: GpuSvmPages;
  /** It uses device pages of the context's owner as they are; otherwise it gets the pages only where all are in RAM. */
  readonly usesDevicePages: boolean;
}

export const defaultContext: GpuSvmContext = {
  checkPagesThreshold: 0,
  timesliceNs: 0,
  owner: NO_OWNER,
  inNotifier: false,
  readOnly: false,
  devmemPossible: false,
  devmemOnly: false,
  allowMixed: false,
};

/** The range found or made, or why not. */
export type RangeResult = { readonly range: GpuSvmRange } | { readonly errno: Errno };

/**
 * Locks: the driver's svm lock guards the trees of notifiers and ranges; the notifier lock guards the pages (read to map and commit, write
 * in the callback). Order: driver's lock, mmap_lock, notifier lock. @kernel drm_gpusvm
 */
export class GpuSvm implements IntervalNotifierOps {
  readonly notifierLock: RwLock;
  readonly notifiers = new IntervalTree<GpuSvmNotifier>();

  constructor(
    readonly sched: Scheduler,
    readonly config: GpuSvmConfig,
    readonly mm: Mm,
    private readonly hmm: Hmm,
    private readonly ops: GpuSvmOps,
    /** Asserts that the driver's svm lock is held. @kernel drm_gpusvm_driver_set_lock */
    private readonly assertDriverLock: () => void,
  ) {
    this.notifierLock = new RwLock(sched, `notifier_lock of ${config.name}`, notifierLockClass);
    mm.grab();
  }

  /**
   * Removes what is left. The driver has unmapped the pages of all ranges before, and holds its lock.
   * @kernel drm_gpusvm_fini
   */
  *fini(): Steps<void> {
    this.assertDriverLock();
    for (let node = this.notifiers.first(); node !== null; node = this.notifiers.first()) {
      const notifier = node.value;
      yield* this.mm.notifiers.remove(notifier.interval);
      notifier.removed = true;
      for (const range of [...notifier.rangesIn(notifier.start, notifier.end)])
        yield* this.rangeRemove(range);
    }
    assert(this.notifiers.size === 0, 'gpusvm ends with notifiers');
    this.mm.drop();
  }

  /**
   * The interval callback. It never filters by owner: the device's own migrations must tear its mappings down too.
   * @kernel drm_gpusvm_notifier_invalidate
   */
  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    if (!range.blockable) return false;
    const startedNs = this.sched.now();
    yield* this.notifierLock.write();
    sub.setSeq(curSeq);
    const notifier = this.notifierOf(sub);
    if (notifier !== null) yield* this.ops.invalidate(this, notifier, range);
    this.notifierLock.writeUnlock();
    const npages = range.end - range.start;
    this.sched.at(GpuSvmStep.invalidate, range.start, npages, range.event, this.sched.now() - startedNs);
    return true;
  }

  /** Callbacks of a new notifier may come before it is in the tree; it has no ranges then. */
  private notifierOf(sub: IntervalNotifier): GpuSvmNotifier | null {
    return this.findNotifier(sub.start);
  }

  /** @kernel drm_gpusvm_notifier_find */
  findNotifier(page: Vpn): GpuSvmNotifier | null {
    return this.notifiers.firstValue(page, page + 1);
  }

  findRange(page: Vpn): GpuSvmRange | null {
    return this.findNotifier(page)?.findRange(page) ?? null;
  }

  /** Whether any range lies in the half-open span. @kernel drm_gpusvm_has_mapping */
  hasMapping(start: Vpn, end: Vpn): boolean {
    let node = this.notifiers.firstOverlap(start, end);
    for (; node !== null; node = this.notifiers.nextOverlap(node, start, end)) {
      if (node.value.ranges.firstOverlap(start, end) !== null) return true;
    }
    return false;
  }

  /** Those that have a page of the half-open span, in order of address. */
  *rangesIn(start: Vpn, end: Vpn): Generator<GpuSvmRange, void, void> {
    let node = this.notifiers.firstOverlap(start, end);
    for (; node !== null; node = this.notifiers.nextOverlap(node, start, end)) {
      yield* node.value.rangesIn(start, end);
    }
  }

  *allRanges(): IterableIterator<GpuSvmRange> {
    for (const { value: notifier } of this.notifiers) yield* notifier.rangesIn(notifier.start, notifier.end);
  }

  /**
   * The range for a fault at `page`, at most as large as the mirror area [gpuvaStart, gpuvaEnd) allows. The driver's lock is held. An
   * existing range comes back as it is, even if it is already flagged unmapped. Errors: -EINVAL (outside the window, or nothing fits),
   * -EFAULT (the address space is gone), -ENOENT (no area), -EPERM (not writable), -ENOMEM, or the error of the notifier's insertion.
   * @kernel drm_gpusvm_range_find_or_insert
   */
  *rangeFindOrInsert(page: Vpn, gpuvaStart: Vpn, gpuvaEnd: Vpn, ctx: GpuSvmContext): Steps<RangeResult> {
    this.assertDriverLock();
    if (this.sched.reach(GpuSvmStep.findOrInsert, page, this.mm.id)) yield STEP;
    const { start, npages } = this.config;
    // One past the window passes, as in the kernel.
    if (page < start || page > start + npages) return { errno: Errno.EINVAL };
    if (!this.mm.getNotZero()) return { errno: Errno.EFAULT };
    const result = yield* this.findOrInsertInMm(page, gpuvaStart, gpuvaEnd, ctx);
    this.mm.put();
    return result;
  }

  private *findOrInsertInMm(
    page: Vpn,
    gpuvaStart: Vpn,
    gpuvaEnd: Vpn,
    ctx: GpuSvmContext,
  ): Steps<RangeResult> {
    const existing = this.findNotifier(page);
    if (existing === null && this.allocationFails()) return { errno: Errno.ENOMEM };
    const notifier = existing ?? this.allocNotifier(page);
    if (existing === null) {
      // Not under mmap_lock, which the first registration takes itself.
      const errno = yield* this.mm.notifiers.insert(notifier.interval);
      if (errno !== Errno.OK) return { errno };
    }
    yield* this.mm.mmapLock.read();
    const result = yield* this.findOrInsertRange(notifier, page, gpuvaStart, gpuvaEnd, ctx);
    this.mm.mmapLock.readUnlock();
    if (existing !== null) return result;
    if ('errno' in result) yield* this.mm.notifiers.remove(notifier.interval);
    else this.insertNotifier(notifier);
    return result;
  }

  private *findOrInsertRange(
    notifier: GpuSvmNotifier,
    page: Vpn,
    gpuvaStart: Vpn,
    gpuvaEnd: Vpn,
    ctx: GpuSvmContext,
  ): Steps<RangeResult> {
    const vma = this.mm.vmas.find(page);
    if (vma === null) return { errno: Errno.ENOENT };
    if (!ctx.readOnly && (vma.flags & VmFlag.Write) === 0) return { errno: Errno.EPERM };
    const existing = notifier.findRange(page);
    if (existing !== null) return { range: existing };
    const migrateDevmem = ctx.devmemPossible && vma.isAnonymous;
    const chunk = yield* this.chunkPages(notifier, vma, page, gpuvaStart, gpuvaEnd, ctx);
    if (chunk === 0) return { errno: Errno.EINVAL };
    if (this.allocationFails()) return { errno: Errno.ENOMEM };
    const start = alignDown(page, chunk) as Vpn;
    const range = this.ops.rangeAlloc(notifier, start, (start + chunk) as Vpn, migrateDevmem);
    yield* this.insertRange(notifier, range);
    return { range };
  }

  /** The largest chunk that fits; 0 when not even one page does. @kernel drm_gpusvm_range_chunk_size */
  private *chunkPages(
    notifier: GpuSvmNotifier,
    vma: Vma,
    page: Vpn,
    gpuvaStart: Vpn,
    gpuvaEnd: Vpn,
    ctx: GpuSvmContext,
  ): Steps<number> {
    const low = Math.max(vma.start, notifier.start, gpuvaStart);
    const high = Math.min(vma.end, notifier.end, gpuvaEnd);
    for (const chunk of this.config.chunkPages) {
      const start = alignDown(page, chunk);
      if (start < low || start + chunk > high) continue;
      if (chunk === 1) return 1;
      if (notifier.ranges.firstOverlap(start, start + chunk) !== null) continue;
      if (chunk > ctx.checkPagesThreshold) return chunk;
      if (yield* this.checkPages(notifier, start as Vpn, (start + chunk) as Vpn, ctx)) return chunk;
    }
    return 0;
  }

  /** Whether every page is there already, by a snapshot without faults. mmap_lock is held. @kernel drm_gpusvm_check_pages */
  private *checkPages(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, ctx: GpuSvmContext): Steps<boolean> {
    const pfns = new Uint32Array(end - start);
    const range = this.hmmRange(notifier.interval, start, end, pfns, 0, ctx.owner);
    let errno: Errno;
    do {
      range.notifierSeq = yield* this.mm.notifiers.readBegin(notifier.interval);
      errno = yield* this.hmm.rangeFault(range);
    } while (errno === Errno.EBUSY);
    const valid = errno === Errno.OK && pfns.every((entry) => (entry & HmmPfnFlag.VALID) !== 0);
    this.sched.at(GpuSvmStep.checkPages, start, end - start, valid ? 1 : 0);
    return valid;
  }

  private allocationFails(): boolean {
    return this.mm.kernel.allocationFails(AllocSite.MirrorObject);
  }

  private allocNotifier(page: Vpn): GpuSvmNotifier {
    const size = this.config.notifierPages;
    const start = alignDown(page, size) as Vpn;
    const end = alignUp(page + 1, size) as Vpn;
    return new GpuSvmNotifier(this, start, end, this);
  }

  /** @kernel drm_gpusvm_notifier_insert */
  private insertNotifier(notifier: GpuSvmNotifier): void {
    notifier.node = this.notifiers.insert(notifier.start, notifier.end, notifier);
    const npages = notifier.end - notifier.start;
    this.sched.at(GpuSvmStep.notifierInserted, notifier.start, npages, this.mm.id);
  }

  /** @kernel drm_gpusvm_range_insert */
  private *insertRange(notifier: GpuSvmNotifier, range: GpuSvmRange): Steps<void> {
    yield* this.notifierLock.read();
    range.node = notifier.ranges.insert(range.start, range.end, range);
    this.notifierLock.readUnlock();
    this.sched.at(GpuSvmStep.rangeInserted, range.start, range.npages, this.mm.id);
  }

  /**
   * Takes the range out of the tree; the last one of a notifier takes the notifier along. The driver has unmapped its pages and holds its
   * lock. Never from the callback, which the notifier's removal waits for.
   * @kernel drm_gpusvm_range_remove
   */
  *rangeRemove(range: GpuSvmRange): Steps<void> {
    this.assertDriverLock();
    const { notifier } = range;
    assert(range.node !== null, 'range is removed twice');
    yield* this.notifierLock.read();
    notifier.ranges.remove(range.node);
    range.node = null;
    this.notifierLock.readUnlock();
    if (this.sched.reach(GpuSvmStep.rangeRemoved, range.start, range.npages, this.mm.id)) yield STEP;
    this.rangePut(range);
    if (notifier.ranges.size === 0) yield* this.removeNotifier(notifier);
  }

  private *removeNotifier(notifier: GpuSvmNotifier): Steps<void> {
    if (!notifier.removed) yield* this.mm.notifiers.remove(notifier.interval);
    if (notifier.node === null) return;
    this.notifiers.remove(notifier.node);
    notifier.node = null;
    this.sched.at(GpuSvmStep.notifierRemoved, notifier.start, notifier.end - notifier.start, this.mm.id);
  }

  /** @kernel drm_gpusvm_range_get */
  rangeGet(range: GpuSvmRange): GpuSvmRange {
    assert(range.refs > 0, 'range is gone');
    range.refs++;
    return range;
  }

  /** @kernel drm_gpusvm_range_put */
  rangePut(range: GpuSvmRange): void {
    assert(range.refs > 0, 'range is put once too often');
    range.refs--;
    if (range.refs === 0) this.ops.rangeFree(range);
  }

  /**
   * Marks a range that was unmapped, wholly or in part, and all its mirrors in one go. From the callback, with the notifier lock for write.
   * @kernel drm_gpusvm_range_set_unmapped
   */
  rangeSetUnmapped(range: GpuSvmRange, pages: readonly GpuSvmPages[], event: NotifierRange): void {
    this.notifierLock.assertHeldForWrite();
    range.unmapped = true;
    if (range.start < event.start || range.end > event.end) range.partialUnmap = true;
    for (const one of pages) one.markUnmapped();
    this.sched.at(GpuSvmStep.setUnmapped, range.start, range.npages, pages.length);
  }

  /**
   * Brings all pages of the range to RAM through CPU faults, as if nobody owned them. Errors: -EFAULT (the address space or the mapping is
   * gone), -EPERM, -ENOMEM, -ETIME.
   * @kernel drm_gpusvm_range_evict
   */
  *rangeEvict(range: GpuSvmRange): Steps<Errno> {
    if (!this.mm.getNotZero()) return Errno.EFAULT;
    const pfns = new Uint32Array(range.npages);
    const { interval } = range.notifier;
    const request = this.hmmRange(interval, range.start, range.end, pfns, HmmPfnFlag.REQ_FAULT, NO_OWNER);
    const deadlineNs = this.sched.now() + HMM_TIMEOUT_NS;
    let errno: Errno = Errno.EBUSY;
    while (errno === Errno.EBUSY && this.sched.now() <= deadlineNs) {
      request.notifierSeq = yield* this.mm.notifiers.readBegin(interval);
      yield* this.mm.mmapLock.read();
      errno = yield* this.hmm.rangeFault(request);
      this.mm.mmapLock.readUnlock();
    }
    this.mm.put();
    if (errno === Errno.EBUSY) errno = Errno.ETIME;
    this.sched.at(GpuSvmStep.evict, range.start, range.npages, errno);
    return errno;
  }

  hmmRange(
    notifier: IntervalNotifier,
    start: Vpn,
    end: Vpn,
    pfns: Uint32Array,
    defaultFlags: number,
    devPrivateOwner: PagemapOwner,
  ): HmmRange {
    const { mm } = this;
    return { mm, notifier, notifierSeq: 0, start, end, pfns, defaultFlags, pfnFlagsMask: 0, devPrivateOwner };
  }
}
