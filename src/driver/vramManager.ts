/** The driver's device memory: allocation with eviction of the oldest migrated pages, and the hooks that drm_pagemap calls. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { GpuPort } from '../device/gpuPort.js';
import type { DmaFence } from '../drm/dmaFence.js';
import type { DrmDevice } from '../drm/drmDevice.js';
import type { Devmem, DevmemOps } from '../drm/pagemap/devmem.js';
import type { DrmPagemap, DrmPagemapOps } from '../drm/pagemap/drmPagemap.js';
import type { PagemapUnhold } from '../drm/pagemap/pagemapHold.js';
import type { PagemapMigrate } from '../drm/pagemap/pagemapMigrate.js';
import type { HasInterconnect } from '../drm/pagemap/pagemapOwner.js';
import { type DmaAddr, DmaDir, DmaProto, dmaAddr, dmaProto, NO_DMA_ADDR } from '../memory/dmaAddr.js';
import { PAGE_ARRAY_PAGES, type PageArrayId, type PageArrayPool } from '../memory/pageArrays.js';
import type { Pfn } from '../memory/pfn.js';
import type { Kernel } from '../mm/kernel.js';
import type { Mm } from '../mm/process/mm.js';
import { STEP, type Steps } from '../sim/steps.js';
import { DriverDevmem } from './driverDevmem.js';
import { DriverStep, MigrateTrigger } from './driverStep.js';
import { GpuHandle } from './gpuHandle.js';
import { GpuPagemaps } from './gpuPagemaps.js';
import { VramBo, type VramPiece } from './vmBind/vramBo.js';
import { BoMoves } from './vram/boMoves.js';
import { type EvictionPolicy, leastRecentlyUsed } from './vram/evictionPolicy.js';
import type { VramResident } from './vram/vramLru.js';
import { VramSpace } from './vram/vramSpace.js';
import { VramClear } from './vramClear.js';

/** Attempts to bring home what a device held that leaves. */
const LEAVE_PASSES = 5;

export class VramManager implements DrmPagemapOps, DevmemOps {
  /** What a process has said of the order in which its pages migrate; set once, null where it says nothing. */
  granularityAt: (mm: Mm, page: Vpn) => number | null = () => null;
  readonly pagemaps: GpuPagemaps;
  /** Whether memory is cleared before pages migrate to it; drivers do, where a copy does not overwrite all of it at once. */
  clearsMemory = false;
  readonly clears: VramClear;
  readonly space: VramSpace;
  /** Of buffer objects. */
  readonly moves: BoMoves;

  constructor(
    private readonly kernel: Kernel,
    private readonly migrate: PagemapMigrate,
    private readonly arrays: PageArrayPool,
    unhold: PagemapUnhold,
    hasInterconnect: HasInterconnect<GpuHandle>,
    eviction: EvictionPolicy = leastRecentlyUsed,
  ) {
    this.clears = new VramClear(kernel.sched, arrays);
    this.space = new VramSpace(kernel, arrays, eviction, (victim) => this.evictResident(victim));
    this.moves = new BoMoves(kernel, arrays, (gpu, npages) =>
      this.allocateAll(gpu, npages, (count) => this.space.allocate(gpu, count)),
    );
    this.pagemaps = new GpuPagemaps(kernel, migrate, this, hasInterconnect, unhold);
  }

  /** @kernel xe_pagemap_destroy */
  destroy(dpagemap: DrmPagemap): void {
    this.pagemaps.destroy(dpagemap);
  }

  /** VRAM of the device itself by its own address, that of a peer by the peer link. @kernel xe_drm_pagemap_device_map */
  deviceMap(dpagemap: DrmPagemap, device: DrmDevice, pfn: Pfn, order: number, dir: DmaDir): DmaAddr {
    if (dpagemap.device !== device) return device.dmaMapResource(pfn, dir, order);
    const addr = dmaAddr(DmaProto.Vram, pfn, dir, order);
    device.ledger.map(addr);
    return addr;
  }

  /** Own memory a device always reaches: only the account has to know. @kernel xe_drm_pagemap_device_unmap */
  deviceUnmap(_dpagemap: DrmPagemap, device: DrmDevice, addr: DmaAddr): void {
    if (dmaProto(addr) === DmaProto.Peer) device.dmaUnmapResource(addr);
    else device.ledger.unmap(addr);
  }

  /** mmap_lock is held for read, so eviction on this path must not need it. @kernel xe_drm_pagemap_populate_mm */
  *populateMm(dpagemap: DrmPagemap, mm: Mm, start: Vpn, end: Vpn, timesliceNs: number): Steps<Errno> {
    const gpu = this.gpuOf(dpagemap);
    if (!gpu.life.enter()) return Errno.ENODEV;
    const errno = yield* this.populate(gpu, dpagemap, mm, start, end, timesliceNs);
    gpu.life.exit();
    return errno;
  }

  /** The device stays plugged in meanwhile. */
  *populate(
    gpu: GpuHandle,
    dpagemap: DrmPagemap,
    mm: Mm,
    start: Vpn,
    end: Vpn,
    timesliceNs: number,
  ): Steps<Errno> {
    const devmem = yield* this.allocate(gpu, dpagemap, mm, start, end - start);
    if (!(devmem instanceof DriverDevmem)) return devmem;
    if (this.clearsMemory) yield* this.clears.start(devmem);
    const details = { timesliceNs, canMigrateSamePagemap: false };
    const errno = yield* this.migrate.migrateToDevmem(devmem, mm, start, end, details);
    // From here on eviction may find it; its pages may be gone already.
    if (!devmem.released) gpu.keep(devmem);
    return errno;
  }

  devmemRelease(devmem: Devmem): void {
    const own = this.own(devmem);
    own.gpu.forget(own);
    this.clears.release(own);
  }

  populateDevmemPfn(devmem: Devmem, npages: number, pfns: Uint32Array): Errno {
    const own = this.own(devmem);
    assert(npages <= own.pfns.length, 'more pages than the allocation has');
    pfns.set(npages === own.pfns.length ? own.pfns : own.pfns.subarray(0, npages));
    return Errno.OK;
  }

  copyToDevmem(
    devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    return this.copy(devmem, src, dst, npages, fence);
  }

  /** @kernel svm_migrate_to_ram */
  pagesPerCpuFault(devmem: Devmem, mm: Mm, page: Vpn): number {
    const order = this.granularityAt(mm, page);
    return order === null ? devmem.npages : Math.min(devmem.npages, 2 ** order);
  }

  copyToRam(
    devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    return this.copy(devmem, src, dst, npages, fence);
  }

  /** By the device that the memory belongs to. */
  private *copy(
    devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    const { port, index } = this.own(devmem).gpu;
    const errno =
      fence === null
        ? yield* port.copy(src, dst, npages)
        : yield* this.copyAfter(fence, port, src, dst, npages);
    if (errno !== Errno.OK)
      this.kernel.sched.at(DriverStep.copyFailed, index, npages, errno, devmem.allocation);
    return errno;
  }

  /** Earlier work on the destination would overwrite what is copied. Its failure is that of the copy. */
  *copyAfter(
    fence: DmaFence,
    port: GpuPort,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
  ): Steps<Errno> {
    const errno = yield* fence.wait();
    return errno === Errno.OK ? yield* port.copy(src, dst, npages) : errno;
  }

  /** Brings everything home that a device holds. The first error, or OK when nothing is left. @kernel xe_pagemap_destroy, ttm_resource_manager_evict_all */
  *evictAll(gpu: GpuHandle): Steps<Errno> {
    for (const victim of [...gpu.allocations]) {
      const errno = yield* this.evict(victim);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /**
   * Brings home what a device that has left a process holds of it; stops when it is back. -EBUSY when pages stayed in use. The process may end
   * meanwhile: its exit frees the pages.
   */
  *evictOf(gpu: GpuHandle, mm: Mm, isBack: () => boolean): Steps<Errno> {
    for (let pass = 0; pass < LEAVE_PASSES; pass++) {
      for (const victim of allocationsOf(gpu, mm)) {
        if (isBack()) return Errno.OK;
        yield* this.evict(victim);
      }
      if (allocationsOf(gpu, mm).length === 0) return Errno.OK;
    }
    for (const devmem of allocationsOf(gpu, mm)) devmem.stranded = true;
    return Errno.EBUSY;
  }

  /** Memory for a buffer object, in pieces, full of zeros; evicts others if need be. Errors: -ENOMEM, -ENODEV. @kernel xe_bo_create */
  allocatePieces(gpu: GpuHandle, npages: number): Steps<readonly VramPiece[] | Errno> {
    return this.allocateAll(gpu, npages, (count) => this.allocateCleared(gpu, count));
  }

  /** In pieces of at most a page array's length; all or none. */
  private *allocateAll(
    gpu: GpuHandle,
    npages: number,
    one: (npages: number) => Steps<VramPiece | Errno>,
  ): Steps<readonly VramPiece[] | Errno> {
    if (!gpu.life.enter()) return Errno.ENODEV;
    const pieces: VramPiece[] = [];
    let errno: Errno = Errno.OK;
    for (let left = npages; left > 0 && errno === Errno.OK; left -= PAGE_ARRAY_PAGES) {
      const piece = yield* one(Math.min(left, PAGE_ARRAY_PAGES));
      if (typeof piece === 'number') errno = piece;
      else pieces.push(piece);
    }
    gpu.life.exit();
    if (errno === Errno.OK) return pieces;
    for (const { id } of pieces) gpu.port.releaseVram(id);
    return errno;
  }

  /** Full of zeros. */
  private *allocateCleared(gpu: GpuHandle, npages: number): Steps<VramPiece | Errno> {
    const piece = yield* this.space.allocate(gpu, npages);
    if (typeof piece === 'number') return piece;
    const errno = yield* this.clear(gpu, piece);
    if (errno === Errno.OK) return piece;
    gpu.port.releaseVram(piece.id);
    return errno;
  }

  /** @kernel xe_migrate_clear */
  private *clear(gpu: GpuHandle, { pfns }: VramPiece): Steps<Errno> {
    const [array, empty] = yield* this.arrays.borrowPair();
    const { arrays } = this.arrays;
    arrays.view(array).set(pfns.map((pfn) => dmaAddr(DmaProto.Vram, pfn, DmaDir.Bidirectional)));
    arrays.view(empty).fill(NO_DMA_ADDR);
    const errno = yield* gpu.port.copy(empty, array, pfns.length);
    this.arrays.giveBack(array);
    this.arrays.giveBack(empty);
    return errno;
  }

  private own(devmem: Devmem): DriverDevmem {
    assert(devmem instanceof DriverDevmem, 'an allocation of another driver');
    return devmem;
  }

  private gpuOf(dpagemap: DrmPagemap): GpuHandle {
    const gpu = dpagemap.device;
    assert(gpu instanceof GpuHandle, 'a pagemap of another driver');
    return gpu;
  }

  private *allocate(
    gpu: GpuHandle,
    dpagemap: DrmPagemap,
    mm: Mm,
    start: Vpn,
    npages: number,
  ): Steps<DriverDevmem | Errno> {
    const piece = yield* this.space.allocate(gpu, npages);
    if (typeof piece === 'number') return piece;
    return new DriverDevmem(this.kernel.sched, gpu, dpagemap, mm, this, piece.id, start, piece.pfns);
  }

  /** Migrated pages, or a buffer object. */
  private evictResident(victim: VramResident): Steps<Errno> {
    if (victim instanceof DriverDevmem) return this.evict(victim);
    assert(victim instanceof VramBo, 'memory of another driver');
    return this.moves.evict(victim);
  }

  /** For who wants its pages in RAM, and has said so: no eviction, which makes room. Errors: those of `drm_pagemap_evict_to_ram`. @kernel svm_migrate_vram_to_ram */
  bringHome(devmem: DriverDevmem): Steps<Errno> {
    return this.inTurn(devmem, () => this.migrate.evictToRam(devmem));
  }

  /** Brings one allocation home, to make room. @kernel xe_svm_bo_evict */
  evict(victim: DriverDevmem): Steps<Errno> {
    return this.inTurn(victim, () => this.evictAlone(victim));
  }

  /** One at a time brings an allocation home: what the first leaves the second tries again. */
  private *inTurn(devmem: DriverDevmem, empty: () => Steps<Errno>): Steps<Errno> {
    yield* devmem.beginEviction();
    const errno = devmem.released ? Errno.OK : yield* empty();
    devmem.endEviction();
    return errno;
  }

  private *evictAlone(victim: DriverDevmem): Steps<Errno> {
    const { sched } = this.kernel;
    const { mm, start, npages } = victim;
    sched.at(DriverStep.migrateStart, start, npages, mm.id, MigrateTrigger.Eviction);
    if (sched.reach(DriverStep.vramEvict, victim.gpu.index, npages, victim.allocation)) yield STEP;
    const errno = yield* this.migrate.evictToRam(victim);
    // Not to be tried first again while it is in use.
    if (errno !== Errno.OK) victim.gpu.lru.touch(victim);
    return errno;
  }
}

function allocationsOf(gpu: GpuHandle, mm: Mm): DriverDevmem[] {
  return [...gpu.allocations].filter((devmem) => devmem.mm === mm);
}
