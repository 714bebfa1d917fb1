/** drm_gpusvm_get_pages: faults a span in through HMM and maps it for one device's DMA; and the way back. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { DmaDir, DmaProto, dmaAddrAt, dmaProto, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { Kernel } from '../../mm/kernel.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import { STEP, type Steps } from '../../sim/steps.js';
import type { ZddTable } from '../pagemap/devmem.js';
import type { DrmPagemap } from '../pagemap/drmPagemap.js';
import { type GpuSvm, type GpuSvmContext, HMM_TIMEOUT_NS, type SharedPages } from './gpusvm.js';
import { GpuSvmStep } from './gpusvmStep.js';
import { type GpuSvmPages, PagesFlag } from './pages.js';

/** What mapping has met so far in one pass over the pages. */
interface MapState {
  /** Memory of the device pages, once there was one. */
  dpagemap: DrmPagemap | null;
  zddId: number;
  mapped: number;
}

export class GpuSvmDma {
  constructor(
    private readonly kernel: Kernel,
    private readonly hmm: Hmm,
    private readonly zdds: ZddTable,
  ) {}

  /**
   * Makes the pages of [start, end) valid for `pages.device`. Errors: -EFAULT (no mapping, or the range was unmapped), -EPERM (not writable),
   * -EOPNOTSUPP (pages in different places that the context does not allow to mix, or an own device page that may not be written), -EBUSY
   * (invalidated for a second on end), -ENOMEM. As a side effect pages may have been faulted in or brought to RAM.
   * @kernel drm_gpusvm_get_pages
   */
  *getPages(
    gpusvm: GpuSvm,
    pages: GpuSvmPages,
    notifier: IntervalNotifier,
    start: Vpn,
    end: Vpn,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const npages = end - start;
    const deadlineNs = sched.now() + HMM_TIMEOUT_NS;
    const pfns = new Uint32Array(npages);
    for (;;) {
      if (sched.reach(GpuSvmStep.getPages, start, npages, pages.device.index)) yield STEP;
      const seq = yield* gpusvm.mm.notifiers.readBegin(notifier);
      if (yield* this.refreshIfValid(gpusvm, pages, seq)) return Errno.OK;
      let errno = yield* this.faultIn(gpusvm, notifier, seq, start, end, pfns, ctx);
      if (errno === Errno.OK)
        errno = yield* this.mapUnderLock(gpusvm, pages, notifier, seq, start, pfns, ctx);
      if (errno === Errno.OK && ctx.others !== undefined)
        yield* this.mapForOthers(gpusvm, ctx.others, notifier, seq, start, pfns, ctx);
      const again = errno === Errno.EBUSY || errno === Errno.EAGAIN;
      if (!again || sched.now() > deadlineNs) {
        sched.at(GpuSvmStep.getPagesDone, start, npages, pages.device.index, errno);
        return again ? Errno.EBUSY : errno;
      }
      sched.at(GpuSvmStep.getPagesRetry, start, npages, pages.device.index, errno);
      pfns.fill(0);
    }
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

  /** Ends the device's DMA access to the pages. @kernel drm_gpusvm_unmap_pages */
  *unmapPages(gpusvm: GpuSvm, pages: GpuSvmPages, npages: number, ctx: GpuSvmContext): Steps<void> {
    if (ctx.inNotifier) {
      gpusvm.notifierLock.assertHeldForWrite();
      this.unmapLocked(pages, npages);
      return;
    }
    yield* gpusvm.notifierLock.read();
    this.unmapLocked(pages, npages);
    gpusvm.notifierLock.readUnlock();
  }

  /** Unmaps, and frees the array of addresses. @kernel drm_gpusvm_free_pages */
  *freePages(gpusvm: GpuSvm, pages: GpuSvmPages, npages: number): Steps<void> {
    yield* gpusvm.notifierLock.read();
    this.unmapLocked(pages, npages);
    pages.dmaAddrs = null;
    gpusvm.notifierLock.readUnlock();
  }

  private *refreshIfValid(gpusvm: GpuSvm, pages: GpuSvmPages, seq: number): Steps<boolean> {
    yield* gpusvm.notifierLock.read();
    const valid = this.pagesValid(gpusvm, pages);
    if (valid) pages.notifierSeq = seq;
    gpusvm.notifierLock.readUnlock();
    return valid;
  }

  private *faultIn(
    gpusvm: GpuSvm,
    notifier: IntervalNotifier,
    seq: number,
    start: Vpn,
    end: Vpn,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    const { mm } = gpusvm;
    if (!mm.getNotZero()) return Errno.EFAULT;
    const flags = HmmPfnFlag.REQ_FAULT | (ctx.readOnly ? 0 : HmmPfnFlag.REQ_WRITE);
    const range = gpusvm.hmmRange(notifier, start, end, pfns, flags, ctx.owner);
    range.notifierSeq = seq;
    yield* mm.mmapLock.read();
    const errno = yield* this.hmm.rangeFault(range);
    mm.mmapLock.readUnlock();
    mm.put();
    return errno;
  }

  /** The pfns hold no references: they may be used only here, under the lock and while the sequence stands. */
  private *mapUnderLock(
    gpusvm: GpuSvm,
    pages: GpuSvmPages,
    notifier: IntervalNotifier,
    seq: number,
    start: Vpn,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    yield* gpusvm.notifierLock.read();
    const errno = this.mapIfCurrent(gpusvm, pages, notifier, seq, start, pfns, ctx);
    gpusvm.notifierLock.readUnlock();
    return errno;
  }

  /**
   * One HMM fault for all devices: each mapping is made under the lock and while the sequence stands, as if the device had faulted itself. A
   * device for which it fails does so when it accesses the pages; when an invalidation has come, the rest do.
   */
  private *mapForOthers(
    gpusvm: GpuSvm,
    others: readonly SharedPages[],
    notifier: IntervalNotifier,
    seq: number,
    start: Vpn,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
  ): Steps<void> {
    const { layout } = this.kernel.memory;
    const allInRam = pfns.every((_, i) => !layout.isDevicePrivate(hmmPfnToPfn(hmmPfnAt(pfns, i))));
    for (const { pages, usesDevicePages } of others) {
      if (!allInRam && !usesDevicePages) continue;
      const errno = yield* this.mapUnderLock(gpusvm, pages, notifier, seq, start, pfns, ctx);
      if (errno === Errno.EAGAIN) return;
    }
  }

  private mapIfCurrent(
    gpusvm: GpuSvm,
    pages: GpuSvmPages,
    notifier: IntervalNotifier,
    seq: number,
    start: Vpn,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
  ): Errno {
    // Before the retry check: nobody would ever make an unmapped range valid again.
    if (pages.has(PagesFlag.Unmapped)) return Errno.EFAULT;
    if (!this.isCurrent(notifier, seq)) return Errno.EAGAIN;
    // Another fault of this device may have mapped the pages since we looked.
    if (this.pagesValid(gpusvm, pages)) return Errno.OK;
    if (pages.dmaAddrs === null || pages.dmaAddrs.length < pfns.length) {
      pages.dmaAddrs = new Uint32Array(pfns.length);
    }
    const state: MapState = { dpagemap: null, zddId: 0, mapped: 0 };
    const errno = this.mapAll(pages, pages.dmaAddrs, pfns, ctx, state);
    if (errno !== Errno.OK) {
      this.unmapEntries(pages, pages.dmaAddrs, state.mapped, state.dpagemap);
      return errno;
    }
    this.publish(pages, state, seq);
    this.kernel.sched.at(GpuSvmStep.mapped, start, pfns.length, pages.device.index, pages.flags);
    return Errno.OK;
  }

  private mapAll(
    pages: GpuSvmPages,
    dmaAddrs: Uint32Array,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
    state: MapState,
  ): Errno {
    for (let i = 0; i < pfns.length; i++) {
      const entry = hmmPfnAt(pfns, i);
      // HMM hands out an own device page that the CPU may not write even for a write request: only a fault in RAM can settle that.
      if (!ctx.readOnly && (entry & HmmPfnFlag.WRITE) === 0) return Errno.EOPNOTSUPP;
      const pfn = hmmPfnToPfn(entry);
      const kind = this.kernel.memory.layout.zoneOf(pfn).kind;
      const errno =
        kind === ZoneKind.DevicePrivate
          ? this.mapDevicePage(pages, dmaAddrs, i, pfn, ctx, state)
          : this.mapSystemPage(pages, dmaAddrs, i, pfn, kind, ctx, state);
      if (errno !== Errno.OK) return errno;
      state.mapped = i + 1;
    }
    return Errno.OK;
  }

  private mapDevicePage(
    pages: GpuSvmPages,
    dmaAddrs: Uint32Array,
    i: number,
    pfn: Pfn,
    ctx: GpuSvmContext,
    state: MapState,
  ): Errno {
    const zdd = this.zdds.get(this.kernel.folios.zoneData(pfn));
    if (i > 0 && !ctx.allowMixed && zdd.id !== state.zddId) return Errno.EOPNOTSUPP;
    if (state.dpagemap !== null && state.dpagemap !== zdd.dpagemap) return Errno.EOPNOTSUPP;
    state.zddId = zdd.id;
    state.dpagemap = zdd.dpagemap;
    const addr = zdd.dpagemap.ops.deviceMap(zdd.dpagemap, pages.device, pfn, 0, this.direction(ctx));
    if (addr < 0) return Errno.EFAULT;
    dmaAddrs[i] = addr;
    return Errno.OK;
  }

  private mapSystemPage(
    pages: GpuSvmPages,
    dmaAddrs: Uint32Array,
    i: number,
    pfn: Pfn,
    kind: ZoneKind,
    ctx: GpuSvmContext,
    state: MapState,
  ): Errno {
    if (kind !== ZoneKind.System) return Errno.EOPNOTSUPP;
    if (state.dpagemap !== null && !ctx.allowMixed) return Errno.EOPNOTSUPP;
    if (ctx.devmemOnly) return Errno.EFAULT;
    const addr = pages.device.dmaMapPage(pfn, this.direction(ctx));
    if (addr < 0) return Errno.EFAULT;
    dmaAddrs[i] = addr;
    return Errno.OK;
  }

  private direction(ctx: GpuSvmContext): DmaDir {
    return ctx.readOnly ? DmaDir.ToDevice : DmaDir.Bidirectional;
  }

  /** The whole flag word at once, still under the lock. */
  private publish(pages: GpuSvmPages, state: MapState, seq: number): void {
    let flags = pages.flags | PagesFlag.HasDmaMapping;
    if (state.dpagemap !== null) {
      flags |= PagesFlag.HasDevmemPages;
      pages.dpagemap = state.dpagemap.get();
    }
    pages.flags = flags;
    pages.notifierSeq = seq;
  }

  private unmapLocked(pages: GpuSvmPages, npages: number): void {
    if (!pages.has(PagesFlag.HasDmaMapping)) return;
    assert(pages.dmaAddrs !== null, 'mapped pages have no addresses');
    this.unmapEntries(pages, pages.dmaAddrs, npages, pages.dpagemap);
    pages.flags &= ~(PagesFlag.HasDmaMapping | PagesFlag.HasDevmemPages);
    if (pages.dpagemap !== null) pages.dpagemap.put();
    pages.dpagemap = null;
    this.kernel.sched.at(GpuSvmStep.unmapped, npages, pages.device.index);
  }

  private unmapEntries(
    pages: GpuSvmPages,
    dmaAddrs: Uint32Array,
    npages: number,
    dpagemap: DrmPagemap | null,
  ): void {
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(dmaAddrs, i);
      if (addr === NO_DMA_ADDR) continue;
      if (dmaProto(addr) === DmaProto.System) pages.device.dmaUnmapPage(addr);
      else if (dpagemap !== null) dpagemap.ops.deviceUnmap(dpagemap, pages.device, addr);
      dmaAddrs[i] = NO_DMA_ADDR;
    }
  }
}
