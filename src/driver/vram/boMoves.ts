/** Moves buffer objects out of a device's memory and back: eviction under pressure, validation before the next use. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { TlbInvalidation } from '../../device/gpuPort.js';
import { GpuVm } from '../../drm/gpuvm/gpuVm.js';
import { type DmaAddr, DmaDir, DmaProto, dmaAddr } from '../../memory/dmaAddr.js';
import { PAGE_ARRAY_PAGES, type PageArrayPool } from '../../memory/pageArrays.js';
import { NO_PFN, type Pfn, pfn as pfnOf } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import { DriverVa } from '../vmBind/driverVa.js';
import type { VramBo, VramPiece } from '../vmBind/vramBo.js';
import { type BoMemory, systemMemory, vramMemory } from './boMemory.js';

export class BoMoves {
  constructor(
    private readonly kernel: Kernel,
    private readonly arrays: PageArrayPool,
    private readonly allocate: (gpu: GpuHandle, npages: number) => Steps<readonly VramPiece[] | Errno>,
  ) {}

  /**
   * Sends the object to RAM. Its mappings on all devices lose their entries before its pages are copied, so no store is lost; an object that
   * somebody validates or binds is not waited for. Errors: -EBUSY (locked, evicted already, or on its way out), -ENOMEM, -EIO.
   * @kernel xe_evict_flags, ttm_bo_evict, ttm_bo_get_unless_zero
   */
  *evict(bo: VramBo): Steps<Errno> {
    if (bo.refCount === 0 || !bo.resv.tryLock()) return Errno.EBUSY;
    bo.get();
    bo.evicting = true;
    const errno = bo.memory.isVram ? yield* this.evictLocked(bo) : Errno.EBUSY;
    bo.evicting = false;
    bo.resv.unlock();
    bo.put();
    return errno;
  }

  private *evictLocked(bo: VramBo): Steps<Errno> {
    const { sched } = this.kernel;
    if (sched.reach(DriverStep.boEvict, bo.gpu.index, bo.npages)) yield STEP;
    const home = this.allocateRam(bo.npages);
    if (home === null) return Errno.ENOMEM;
    GpuVm.evictEverywhere(bo, true);
    yield* this.revoke(bo);
    const errno = yield* this.copy(bo.gpu, bo.memory, home);
    if (errno !== Errno.OK) {
      home.release();
      GpuVm.evictEverywhere(bo, false);
      // Not to be tried first again.
      bo.gpu.lru.touch(bo);
      return errno;
    }
    bo.gpu.lru.remove(bo);
    this.install(bo, home);
    return Errno.OK;
  }

  /**
   * The object is in its device's memory on return, for as long as its reservation, which the caller holds, is held. Errors: -ENOMEM, -ENODEV, -EIO.
   * @kernel xe_bo_validate
   */
  *validate(bo: VramBo): Steps<Errno> {
    bo.resv.assertHeld();
    if (bo.memory.isVram) {
      bo.gpu.lru.touch(bo);
      return Errno.OK;
    }
    const errno = yield* this.bringBack(bo);
    const { index } = bo.gpu;
    if (errno === Errno.OK) this.kernel.sched.at(DriverStep.boValidated, index, bo.npages);
    else this.kernel.sched.at(DriverStep.boNotValidated, index, bo.npages, errno);
    return errno;
  }

  /** The device stays plugged in until the object is where whoever unplugs it looks. */
  private *bringBack(bo: VramBo): Steps<Errno> {
    const { life } = bo.gpu;
    if (!life.enter()) return Errno.ENODEV;
    const errno = yield* this.moveToVram(bo);
    life.exit();
    return errno;
  }

  private *moveToVram(bo: VramBo): Steps<Errno> {
    const pieces = yield* this.allocate(bo.gpu, bo.npages);
    if (typeof pieces === 'number') return pieces;
    const vram = vramMemory(bo.gpu, pieces);
    const errno = yield* this.copy(bo.gpu, bo.memory, vram);
    if (errno !== Errno.OK) {
      vram.release();
      return errno;
    }
    this.install(bo, vram);
    bo.gpu.lru.add(bo);
    GpuVm.evictEverywhere(bo, false);
    return Errno.OK;
  }

  /** On return no access of any device goes to the object's pages. @kernel xe_bo_trigger_rebind, xe_vm_invalidate_vma */
  *revoke(bo: VramBo): Steps<void> {
    const pending: [GpuHandle, TlbInvalidation][] = [];
    for (const vmBo of bo.vmBos) {
      for (const va of vmBo.vas) {
        assert(va instanceof DriverVa, 'a mapping of another driver');
        if (va.bound) pending.push(this.zap(va));
      }
    }
    for (const [gpu, invalidation] of pending) yield* gpu.port.finishTlbInvalidation(invalidation);
    bo.detachAll();
  }

  private zap(va: DriverVa): [GpuHandle, TlbInvalidation] {
    const { gpu } = va.home;
    const first = va.home.tagged(va.start);
    va.bound = false;
    va.setInvalidated(true);
    gpu.port.zap(first, va.npages);
    this.kernel.sched.at(DriverStep.zap, va.start, va.npages, gpu.index);
    return [gpu, gpu.port.startTlbInvalidation(first, va.npages)];
  }

  /** Null when there is not enough. */
  private allocateRam(npages: number): BoMemory | null {
    const pages: Pfn[] = [];
    for (let i = 0; i < npages; i++) {
      const page = this.kernel.allocPage();
      if (page === NO_PFN) {
        systemMemory(this.kernel, pages).release();
        return null;
      }
      pages.push(page);
    }
    return systemMemory(this.kernel, pages);
  }

  private install(bo: VramBo, memory: BoMemory): void {
    const old = bo.memory;
    bo.memory = memory;
    old.release();
  }

  /** By the device's copy engine; nobody else uses the pages meanwhile. @kernel xe_migrate_copy */
  private *copy(gpu: GpuHandle, from: BoMemory, to: BoMemory): Steps<Errno> {
    let errno: Errno = Errno.OK;
    for (let at = 0; at < from.pfns.length && errno === Errno.OK; at += PAGE_ARRAY_PAGES) {
      const npages = Math.min(PAGE_ARRAY_PAGES, from.pfns.length - at);
      errno = yield* this.copyChunk(gpu, from, to, at, npages);
    }
    return errno;
  }

  private *copyChunk(gpu: GpuHandle, from: BoMemory, to: BoMemory, at: number, npages: number): Steps<Errno> {
    const [src, dst] = yield* this.arrays.borrowPair();
    const { arrays } = this.arrays;
    const mapped: DmaAddr[] = [];
    const isMapped =
      this.mapAll(gpu, from, at, arrays.view(src).subarray(0, npages), DmaDir.ToDevice, mapped) &&
      this.mapAll(gpu, to, at, arrays.view(dst).subarray(0, npages), DmaDir.FromDevice, mapped);
    const errno = isMapped ? yield* gpu.port.copy(src, dst, npages) : Errno.ENOMEM;
    for (const addr of mapped) gpu.dmaUnmapPage(addr);
    this.arrays.giveBack(src);
    this.arrays.giveBack(dst);
    return errno;
  }

  /** Own VRAM by its own address, RAM through the IOMMU; what was mapped there is added to `mapped`. False when I/O pages run out. */
  private mapAll(
    gpu: GpuHandle,
    memory: BoMemory,
    at: number,
    out: Uint32Array,
    dir: DmaDir,
    mapped: DmaAddr[],
  ): boolean {
    for (let i = 0; i < out.length; i++) {
      const page = pfnOf(memory.pfns[at + i]);
      const addr = memory.isVram ? dmaAddr(DmaProto.Vram, page, dir) : gpu.dmaMapPage(page, dir);
      if (addr < 0) return false;
      if (!memory.isVram) mapped.push(addr as DmaAddr);
      out[i] = addr;
    }
    return true;
  }
}
