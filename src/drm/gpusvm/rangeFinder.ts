/** Which range a fault gets: finds it, or makes the largest one that fits, with its notifier if that is new. */

import { Errno } from '../../base/errno.js';
import { alignDown, alignUp, type Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { HmmPfnFlag } from '../../memory/pfn.js';
import { type Vma, VmFlag } from '../../mm/area/vma.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { Mm } from '../../mm/process/mm.js';
import { PARK, type Steps } from '../../sim/steps.js';
import { type GpuSvmContext, HMM_TIMEOUT_NS } from './context.js';
import type { GpuSvm } from './gpusvm.js';
import { GpuSvmStep } from './gpusvmStep.js';
import { hmmRequest } from './hmmRequest.js';
import { GpuSvmNotifier } from './notifier.js';
import { GpuSvmRange } from './range.js';

/** The range found or made, or why not. */
export type RangeResult = { readonly range: GpuSvmRange } | { readonly errno: Errno };

/** A fault's page, and the span of the GPU's address space that mirrors the CPU's around it. */
export interface RangeRequest {
  readonly page: Vpn;
  readonly gpuvaStart: Vpn;
  readonly gpuvaEnd: Vpn;
}

/** The steps of find-or-insert. The driver's lock is held throughout, and a user of the address space. */
export class RangeFinder {
  constructor(
    private readonly gpusvm: GpuSvm,
    private readonly mm: Mm,
    private readonly hmm: Hmm,
  ) {}

  /** Errors: those of {@link GpuSvm.rangeFindOrInsert}. A notifier that is new goes again where no range came of it. */
  *findOrInsert(request: RangeRequest, ctx: GpuSvmContext): Steps<RangeResult> {
    const { gpusvm, mm } = this;
    const existing = gpusvm.findNotifier(request.page);
    const notifier = existing ?? this.notifierAlloc(request.page);
    if (notifier === null) return { errno: Errno.ENOMEM };
    if (existing === null) {
      // Not under mmap_lock, which the first registration takes itself.
      const errno = yield* mm.notifiers.insert(notifier.interval);
      if (errno !== Errno.OK) {
        this.notifierFree(notifier);
        return { errno };
      }
    }
    if (!mm.mmapLock.beginRead()) yield PARK;
    const result = yield* this.findOrInsertLocked(notifier, request, ctx);
    // The tree learns of the window last, and still under mmap_lock.
    if (existing === null && 'range' in result) this.notifierInsert(notifier);
    mm.mmapLock.readUnlock();
    if (existing === null && 'errno' in result) {
      yield* mm.notifiers.remove(notifier.interval);
      this.notifierFree(notifier);
    }
    return result;
  }

  /** mmap_lock is held for read. */
  *findOrInsertLocked(
    notifier: GpuSvmNotifier,
    request: RangeRequest,
    ctx: GpuSvmContext,
  ): Steps<RangeResult> {
    const { page } = request;
    const vma = this.mm.vmas.find(page);
    if (vma === null) return { errno: Errno.ENOENT };
    if (!ctx.readOnly && (vma.flags & VmFlag.Write) === 0) return { errno: Errno.EPERM };
    const existing = notifier.findRange(page);
    if (existing !== null) return { range: existing };
    const chunk = yield* this.chunkSize(notifier, vma, request, ctx);
    if (chunk === 0) return { errno: Errno.EINVAL };
    const range = this.rangeAlloc(notifier, page, chunk, this.mayMigrate(vma, ctx));
    if (range === null) return { errno: Errno.ENOMEM };
    yield* this.rangeInsert(notifier, range);
    return { range };
  }

  /** Whether migration could take the area's pages. @kernel vma_is_anonymous */
  mayMigrate(vma: Vma, ctx: GpuSvmContext): boolean {
    return ctx.devmemPossible && vma.isAnonymous && !vma.isHugetlb;
  }

  /** The largest chunk that fits, in pages; 0 when not even one page does. @kernel drm_gpusvm_range_chunk_size */
  *chunkSize(notifier: GpuSvmNotifier, vma: Vma, request: RangeRequest, ctx: GpuSvmContext): Steps<number> {
    for (const chunk of this.gpusvm.config.chunkPages) {
      const start = alignDown(request.page, chunk) as Vpn;
      const end = (start + chunk) as Vpn;
      if (!this.chunkFits(notifier, vma, request, start, end)) continue;
      // A single page has no neighbours, and needs none to be there.
      if (chunk === 1) return chunk;
      if (notifier.rangeFind(start, end) !== null) continue;
      if (chunk > ctx.checkPagesThreshold) return chunk;
      if (yield* this.checkPages(notifier, start, end, ctx)) return chunk;
    }
    return 0;
  }

  /** Within the area, the notifier's window and the span that the GPU mirrors. */
  chunkFits(
    notifier: GpuSvmNotifier,
    vma: Vma,
    { gpuvaStart, gpuvaEnd }: RangeRequest,
    start: number,
    end: number,
  ): boolean {
    return (
      start >= Math.max(vma.start, notifier.start, gpuvaStart) &&
      end <= Math.min(vma.end, notifier.end, gpuvaEnd)
    );
  }

  /**
   * Whether every page is there already, by a snapshot without faults: for at most a second, while others invalidate; not without memory.
   * mmap_lock is held.
   * @kernel drm_gpusvm_check_pages
   */
  *checkPages(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, ctx: GpuSvmContext): Steps<boolean> {
    const { sched } = this.gpusvm;
    if (this.allocationFails()) return false;
    const pfns = this.newPfns(end - start);
    const range = hmmRequest(this.mm, notifier.interval, start, end, pfns, 0, ctx.owner);
    const deadlineNs = sched.now() + HMM_TIMEOUT_NS;
    let errno: Errno;
    do {
      range.notifierSeq = yield* this.mm.notifiers.readBegin(notifier.interval);
      errno = yield* this.hmm.rangeFault(range);
    } while (errno === Errno.EBUSY && sched.now() <= deadlineNs);
    const valid = errno === Errno.OK && pfns.every((entry) => (entry & HmmPfnFlag.VALID) !== 0);
    sched.at(GpuSvmStep.checkPages, start, end - start, valid ? 1 : 0);
    return valid;
  }

  /** Zeroed: a walk keeps some bits of what it finds there, and takes others for requests. */
  newPfns(npages: number): Uint32Array {
    return new Uint32Array(npages);
  }

  /** Null without memory. @kernel drm_gpusvm_notifier_alloc */
  notifierAlloc(page: Vpn): GpuSvmNotifier | null {
    if (this.allocationFails()) return null;
    const { gpusvm } = this;
    const size = gpusvm.config.notifierPages;
    const start = alignDown(page, size) as Vpn;
    const end = alignUp(page + 1, size) as Vpn;
    const { notifierAlloc } = gpusvm.ops;
    return notifierAlloc === undefined
      ? new GpuSvmNotifier(gpusvm, start, end)
      : notifierAlloc.call(gpusvm.ops, gpusvm, start, end);
  }

  /** Of a window that came to nothing. @kernel drm_gpusvm_notifier_free */
  notifierFree(notifier: GpuSvmNotifier): void {
    this.gpusvm.notifierFree(notifier);
  }

  /** Into the gpusvm's tree, with its first range in it. @kernel drm_gpusvm_notifier_insert */
  notifierInsert(notifier: GpuSvmNotifier): void {
    const { gpusvm, mm } = this;
    notifier.node = gpusvm.notifiers.insert(notifier.start, notifier.end, notifier);
    gpusvm.sched.at(GpuSvmStep.notifierInserted, notifier.start, notifier.npages, mm.id);
  }

  /** The aligned chunk around the page; null without memory. @kernel drm_gpusvm_range_alloc */
  rangeAlloc(notifier: GpuSvmNotifier, page: Vpn, chunk: number, migrateDevmem: boolean): GpuSvmRange | null {
    if (this.allocationFails()) return null;
    const start = alignDown(page, chunk) as Vpn;
    const end = (start + chunk) as Vpn;
    const { ops } = this.gpusvm;
    return ops.rangeAlloc === undefined
      ? new GpuSvmRange(notifier, start, end, migrateDevmem)
      : ops.rangeAlloc(notifier, start, end, migrateDevmem);
  }

  /** Into the notifier's tree: from now on callbacks find the range. @kernel drm_gpusvm_range_insert */
  *rangeInsert(notifier: GpuSvmNotifier, range: GpuSvmRange): Steps<void> {
    const { gpusvm, mm } = this;
    if (!gpusvm.notifierLock.beginRead()) yield PARK;
    notifier.insertRange(range);
    gpusvm.notifierLock.readUnlock();
    gpusvm.sched.at(GpuSvmStep.rangeInserted, range.start, range.npages, mm.id);
  }

  private allocationFails(): boolean {
    return this.mm.kernel.allocationFails(AllocSite.MirrorObject);
  }
}
