/** drm_gpusvm_get_pages: faults a span in through HMM and maps it for one device's DMA; and the way back. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import type { ZddTable } from '../pagemap/devmem.js';
import { type GpuSvmContext, HMM_TIMEOUT_NS, type SharedPages } from './context.js';
import type { GpuSvm } from './gpusvm.js';
import { GpuSvmStep } from './gpusvmStep.js';
import { hmmRequest } from './hmmRequest.js';
import { type GpuSvmPages, PagesFlag } from './pages.js';
import { PagesMapper } from './pagesMapper.js';

/** What one call is to make valid. */
export interface PagesRequest {
  readonly gpusvm: GpuSvm;
  readonly pages: GpuSvmPages;
  readonly mm: Mm;
  readonly notifier: IntervalNotifier;
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly ctx: GpuSvmContext;
}

/** What the kernel's arrays take for each page: a driver may name any number of pages. @kernel drm_pagemap_addr */
const PFN_BYTES = 8;
const ADDR_BYTES = 16;

/** The pages are as they were asked for; what is missing is the array for their addresses. */
const NO_ARRAY = 'no array';

export class GpuSvmDma {
  readonly mapper: PagesMapper;

  constructor(
    private readonly kernel: Kernel,
    private readonly hmm: Hmm,
    zdds: ZddTable,
  ) {
    this.mapper = new PagesMapper(kernel, zdds);
  }

  /**
   * Makes the pages of [start, end) of an address space valid for `pages.device`. Errors: -EFAULT (no mapping, or the range was unmapped),
   * -EPERM (not writable), -EOPNOTSUPP (pages in different places that the context does not allow to mix, or an own device page that may not
   * be written), -EBUSY (invalidated for a second on end), -ENOMEM. As a side effect pages may have been faulted in or brought to RAM.
   * @kernel drm_gpusvm_get_pages
   */
  *getPages(
    gpusvm: GpuSvm,
    pages: GpuSvmPages,
    mm: Mm,
    notifier: IntervalNotifier,
    start: Vpn,
    end: Vpn,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const request: PagesRequest = { gpusvm, pages, mm, notifier, start, end, ctx };
    const { index } = pages.device;
    // One second for all that the call does, however often it begins again.
    const deadlineNs = sched.now() + HMM_TIMEOUT_NS;
    for (;;) {
      if (sched.reach(GpuSvmStep.getPages, start, end - start, index)) yield STEP;
      const leftNs = deadlineNs - sched.now();
      const errno = leftNs <= 0 ? Errno.EBUSY : yield* this.tryGetPages(request, leftNs);
      if (errno !== Errno.EAGAIN) {
        sched.at(GpuSvmStep.getPagesDone, start, end - start, index, errno);
        return errno;
      }
      sched.at(GpuSvmStep.getPagesRetry, start, end - start, index, errno);
    }
  }

  /** One attempt. Error besides those of {@link getPages}: -EAGAIN, the pages were invalidated meanwhile. */
  *tryGetPages(request: PagesRequest, leftNs: number): Steps<Errno> {
    const { gpusvm, pages, mm, notifier, start, end } = request;
    if (mm.notifiers.reachReadBegin(notifier)) yield STEP;
    const seq = mm.notifiers.readSeq(notifier);
    if (mm.notifiers.isInvalidating(notifier)) yield* mm.notifiers.untilSeqChanges(seq);
    if (pages.dmaAddrs !== null && (yield* this.pagesValidUnlocked(gpusvm, pages))) {
      pages.notifierSeq = seq;
      return Errno.OK;
    }
    if (this.allocationFails((end - start) * PFN_BYTES)) return Errno.ENOMEM;
    const pfns = this.newPfns(end - start);
    if (!mm.getNotZero()) return Errno.EFAULT;
    const range = this.hmmRange(request, pfns);
    const errno = yield* this.hmm.rangeFaultUnlocked(range, leftNs);
    mm.put();
    if (errno !== Errno.OK) return errno;
    const mapped = yield* this.mapUnderLock(request, range.notifierSeq, pfns);
    const { others } = request.ctx;
    if (mapped === Errno.OK && others !== undefined)
      yield* this.mapForOthers(request, range.notifierSeq, pfns, others);
    return mapped;
  }

  /** Zeroed: a walk keeps some bits of what it finds there, and takes others for requests. */
  newPfns(npages: number): Uint32Array {
    return new Uint32Array(npages);
  }

  /** Every page is faulted in, and for writing unless the device will only read. */
  hmmRange(
    { mm, notifier, start, end, ctx }: PagesRequest,
    pfns: Uint32Array,
  ): ReturnType<typeof hmmRequest> {
    const flags = HmmPfnFlag.REQ_FAULT | (ctx.readOnly ? 0 : HmmPfnFlag.REQ_WRITE);
    return hmmRequest(mm, notifier, start, end, pfns, flags, ctx.owner);
  }

  /** The pfns hold no references: they may be used only here, under the lock and while the sequence stands. */
  *mapUnderLock(request: PagesRequest, seq: number, pfns: Uint32Array): Steps<Errno> {
    const { gpusvm, pages } = request;
    for (;;) {
      if (!gpusvm.notifierLock.beginRead()) yield PARK;
      const result = this.mapIfCurrent(request, seq, pfns);
      gpusvm.notifierLock.readUnlock();
      if (result !== NO_ARRAY) return result;
      // Not under the lock, which memory may not be reclaimed under; all that was looked at must be looked at again.
      if (this.allocationFails(pfns.length * ADDR_BYTES)) return Errno.ENOMEM;
      pages.dmaAddrs = new Uint32Array(pfns.length);
    }
  }

  /**
   * One HMM fault for all devices: each mapping is made under the lock and while the sequence stands, as if the device had faulted itself. A
   * device for which it fails does so when it accesses the pages; when an invalidation has come, the rest do.
   */
  *mapForOthers(
    request: PagesRequest,
    seq: number,
    pfns: Uint32Array,
    others: readonly SharedPages[],
  ): Steps<void> {
    const { layout } = this.kernel.memory;
    const allInRam = pfns.every((_, i) => !layout.isDevice(hmmPfnToPfn(hmmPfnAt(pfns, i))));
    for (const { pages, usesDevicePages } of others) {
      if (!allInRam && !usesDevicePages) continue;
      const errno = yield* this.mapUnderLock({ ...request, pages }, seq, pfns);
      if (errno === Errno.EAGAIN) return;
    }
  }

  /** The notifier lock is held. */
  mapIfCurrent(request: PagesRequest, seq: number, pfns: Uint32Array): Errno | typeof NO_ARRAY {
    const { gpusvm, pages, notifier, start, ctx } = request;
    // Before the retry check: nobody would ever make an unmapped range valid again.
    if (pages.has(PagesFlag.Unmapped)) return Errno.EFAULT;
    if (!this.isCurrent(notifier, seq)) return Errno.EAGAIN;
    // Another fault of this device may have mapped the pages since we looked.
    if (this.pagesValid(gpusvm, pages)) return Errno.OK;
    if (pages.dmaAddrs === null) return NO_ARRAY;
    const errno = this.mapper.mapAll(pages, pages.dmaAddrs, start, pfns, ctx);
    if (errno !== Errno.OK) return errno;
    pages.notifierSeq = seq;
    this.kernel.sched.at(GpuSvmStep.mapped, start, pfns.length, pages.device.index, pages.flags);
    return Errno.OK;
  }

  /** The per-range form of read-retry, since a notifier covers many ranges: the notifier lock is held. @kernel drm_gpusvm_pages_valid */
  pagesValid(gpusvm: GpuSvm, pages: GpuSvmPages): boolean {
    gpusvm.notifierLock.assertHeld();
    return pages.has(PagesFlag.HasDevmemPages) || pages.has(PagesFlag.HasDmaMapping);
  }

  /** What was read since `seq` still holds; the notifier lock is held, so it does until that is released. */
  isCurrent(notifier: IntervalNotifier, seq: number): boolean {
    return !notifier.readRetry(seq);
  }

  /** Takes the lock to look; an array whose addresses are gone is freed. Pages without one are not valid: that needs no look. @kernel drm_gpusvm_pages_valid_unlocked */
  *pagesValidUnlocked(gpusvm: GpuSvm, pages: GpuSvmPages): Steps<boolean> {
    if (!gpusvm.notifierLock.beginRead()) yield PARK;
    const valid = this.pagesValid(gpusvm, pages);
    if (!valid) this.freeLocked(pages);
    gpusvm.notifierLock.readUnlock();
    return valid;
  }

  /** Ends the device's DMA access to the pages. @kernel drm_gpusvm_unmap_pages */
  *unmapPages(gpusvm: GpuSvm, pages: GpuSvmPages, npages: number, ctx: GpuSvmContext): Steps<void> {
    if (ctx.inNotifier) {
      gpusvm.notifierLock.assertHeldForWrite();
      this.unmapLocked(pages, npages);
      return;
    }
    if (!gpusvm.notifierLock.beginRead()) yield PARK;
    this.unmapLocked(pages, npages);
    gpusvm.notifierLock.readUnlock();
  }

  /** Unmaps, and frees the array of addresses. @kernel drm_gpusvm_free_pages */
  *freePages(gpusvm: GpuSvm, pages: GpuSvmPages, npages: number): Steps<void> {
    if (!gpusvm.notifierLock.beginRead()) yield PARK;
    this.unmapLocked(pages, npages);
    this.freeLocked(pages);
    gpusvm.notifierLock.readUnlock();
  }

  /** The notifier lock is held. */
  unmapLocked(pages: GpuSvmPages, npages: number): void {
    if (!pages.has(PagesFlag.HasDmaMapping)) return;
    this.mapper.unmapLocked(pages, npages);
    this.kernel.sched.at(GpuSvmStep.unmapped, npages, pages.device.index);
  }

  /** The notifier lock is held, and nothing is mapped. @kernel __drm_gpusvm_free_pages */
  freeLocked(pages: GpuSvmPages): void {
    pages.dmaAddrs = null;
  }

  private allocationFails(bytes: number): boolean {
    return this.kernel.isTooLarge(bytes) || this.kernel.allocationFails(AllocSite.MirrorObject);
  }
}
