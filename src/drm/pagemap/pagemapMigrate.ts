/** drm_pagemap: migration of a span to device memory, of an allocation to RAM, and of a CPU fault's surroundings to RAM. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { alignDown, type Vpn } from '../../base/units.js';
import { DmaDir, DmaProto, dmaAddr, dmaAddrAt, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import type { PageArrayPool } from '../../memory/pageArrays.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
  pfn as pfnOf,
} from '../../memory/pfn.js';
import type { DeviceFault } from '../../mm/devPagemap.js';
import type { Kernel } from '../../mm/kernel.js';
import type { MigrateDevice } from '../../mm/migrateDevice.js';
import { MigrateSelect, type MigrateVma, type MigrateVmaArgs } from '../../mm/migrateVma.js';
import type { Mm } from '../../mm/mm.js';
import { STEP, type Steps } from '../../sim/steps.js';
import type { DrmDevice } from '../drmDevice.js';
import { type Devmem, releaseDevmem, type Zdd, type ZddTable } from './devmem.js';
import type { DrmPagemap } from './drmPagemap.js';
import { PagemapStep } from './pagemapStep.js';

/** @kernel drm_pagemap_migrate_details */
export interface MigrateDetails {
  /** How long the pages stay on the device at least. */
  readonly timesliceNs: number;
  /** Pages that already lie in the target's memory may be moved within it. */
  readonly canMigrateSamePagemap: boolean;
}

/** Attempts of an eviction before it gives up. */
const EVICT_PASSES = 3;

const SELECT_ALL = MigrateSelect.System | MigrateSelect.DevicePrivate | MigrateSelect.DeviceCoherent;
const SELECT_DEVICE = MigrateSelect.DevicePrivate | MigrateSelect.DeviceCoherent;

export class PagemapMigrate {
  /** The last one looked up: pages of one allocation come in a row. Numbers are never used again. */
  private lastZdd: Zdd | null = null;

  constructor(
    private readonly kernel: Kernel,
    private readonly migrateVma: MigrateVma,
    private readonly migrateDevice: MigrateDevice,
    readonly zdds: ZddTable,
    private readonly arrays: PageArrayPool,
  ) {}

  /**
   * Moves [start, end) to the allocation, from RAM, holes and other devices, all pages or none. mmap_lock is held for read. The caller's
   * reference on `devmem` is consumed in every outcome. Errors: -ENOENT (no area), -EINVAL (beyond it), -EBUSY (not anonymous; some page
   * could not be collected or moved), -EIO, -ENOMEM.
   * @kernel drm_pagemap_migrate_to_devmem
   */
  *migrateToDevmem(devmem: Devmem, mm: Mm, start: Vpn, end: Vpn, details: MigrateDetails): Steps<Errno> {
    mm.mmapLock.assertHeld();
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const device = devmem.dpagemap.device.index;
    if (sched.reach(PagemapStep.toDevmem, start, end - start, device, devmem.allocation)) yield STEP;
    const zdd = this.zdds.create(devmem.dpagemap);
    const errno = yield* this.migrateSpan(devmem, zdd, mm, start, end, details);
    if (zdd.devmem === null) releaseDevmem(devmem);
    this.zdds.put(zdd);
    const tookNs = sched.now() - startedNs;
    if (errno !== Errno.OK) sched.at(PagemapStep.toDevmemFailed, start, end - start, errno, tookNs);
    return errno;
  }

  private *migrateSpan(
    devmem: Devmem,
    zdd: Zdd,
    mm: Mm,
    start: Vpn,
    end: Vpn,
    details: MigrateDetails,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const npages = end - start;
    const vma = mm.vmas.find(start);
    if (vma === null) return Errno.ENOENT;
    if (end > vma.end) return Errno.EINVAL;
    if (!vma.isAnonymous) return Errno.EBUSY;
    const args: MigrateVmaArgs = {
      mm,
      vma,
      start,
      end,
      src: new Uint32Array(npages),
      dst: new Uint32Array(npages),
      flags: SELECT_ALL,
      pgmapOwner: devmem.dpagemap.pagemap.owner,
      faultPage: NO_PFN,
      cpages: 0,
    };
    const startedNs = sched.now();
    const setupErrno = yield* this.migrateVma.setup(args);
    if (setupErrno !== Errno.OK) return setupErrno;
    sched.at(PagemapStep.collected, start, npages, args.cpages, sched.now() - startedNs);
    const errno = yield* this.fillDevmem(devmem, zdd, args, details);
    yield* this.migrateVma.finalize(args);
    if (errno === Errno.OK && zdd.devmem !== null) this.reportMoved(args, devmem, startedNs);
    return errno;
  }

  /** Between setup and finalize. An error leaves `dst` empty, so that finalize restores everything. */
  private *fillDevmem(devmem: Devmem, zdd: Zdd, args: MigrateVmaArgs, details: MigrateDetails): Steps<Errno> {
    const npages = args.end - args.start;
    if (args.cpages !== npages) return Errno.EBUSY;
    const own = this.countOwn(args.src, npages, devmem.dpagemap);
    if (own > 0 && !details.canMigrateSamePagemap) return own === npages ? Errno.OK : Errno.EBUSY;
    let errno = devmem.ops.populateDevmemPfn(devmem, npages, args.dst);
    if (errno !== Errno.OK) {
      args.dst.fill(0, 0, npages);
      return errno;
    }
    this.initDevicePages(zdd, args.dst, npages);
    if (this.kernel.sched.reach(PagemapStep.populated, args.start, npages, devmem.dpagemap.device.index))
      yield STEP;
    errno = yield* this.copyRuns(devmem, args, npages);
    if (errno !== Errno.OK) {
      this.unlockAndPutAll(args.dst, npages);
      return errno;
    }
    // The pages are still locked, so nobody sees them before the allocation is known.
    zdd.devmem = devmem;
    devmem.timesliceExpirationNs = this.kernel.sched.now() + details.timesliceNs;
    yield* this.migrateVma.pages(args);
    return this.countMigrated(args.src, npages) === npages ? Errno.OK : Errno.EBUSY;
  }

  private countOwn(src: Uint32Array, npages: number, dpagemap: DrmPagemap): number {
    let own = 0;
    for (let i = 0; i < npages; i++) if (this.sourceAt(src, i)?.dpagemap === dpagemap) own++;
    return own;
  }

  private countMigrated(src: Uint32Array, npages: number): number {
    let migrated = 0;
    for (let i = 0; i < npages; i++) if ((src[i] & MigratePfnFlag.MIGRATE) !== 0) migrated++;
    return migrated;
  }

  /** The zone device data of a device page that is to be moved; null for RAM and holes. */
  private sourceAt(entries: Uint32Array, i: number): Zdd | null {
    const pfn = this.pageAt(entries, i);
    if (pfn === NO_PFN || !this.kernel.memory.layout.isDevicePrivate(pfn)) return null;
    const id = this.kernel.folios.zoneData(pfn);
    if (this.lastZdd === null || this.lastZdd.id !== id) this.lastZdd = this.zdds.get(id);
    return this.lastZdd;
  }

  /** Turns the raw pfns in `dst` into migrate-pfns of locked pages that refer to `zdd`. @kernel drm_pagemap_get_devmem_page */
  private initDevicePages(zdd: Zdd, dst: Uint32Array, npages: number): void {
    const { folios, folioLocks } = this.kernel;
    for (let i = 0; i < npages; i++) {
      const pfn = pfnOf(dst[i]);
      // Initialising a page that an old owner still refers to would destroy that reference.
      assert(folios.refcount(pfn) === 0, () => `device page is in use: ${folios.describe(pfn)}`);
      folios.prepareNew(pfn, 0, 1);
      folioLocks.lockNew(pfn);
      folios.setZoneData(pfn, zdd.id);
      zdd.refs++;
      dst[i] = migratePfn(pfn, 0);
    }
  }

  /** Splits the span into runs with the same source and has each copied by whoever owns its source. */
  private *copyRuns(devmem: Devmem, args: MigrateVmaArgs, npages: number): Steps<Errno> {
    let first = 0;
    while (first < npages) {
      const source = this.sourceAt(args.src, first)?.devmem ?? null;
      let end = first + 1;
      while (end < npages && (this.sourceAt(args.src, end)?.devmem ?? null) === source) end++;
      const errno = yield* this.copyRun(devmem, source, args, first, end);
      if (errno !== Errno.OK) return errno;
      first = end;
    }
    return Errno.OK;
  }

  private *copyRun(
    devmem: Devmem,
    source: Devmem | null,
    args: MigrateVmaArgs,
    first: number,
    end: number,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const [srcId, dstId] = yield* this.arrays.borrowPair();
    const src = this.arrays.arrays.view(srcId);
    const dst = this.arrays.arrays.view(dstId);
    const mapErrno =
      source === null
        ? this.mapFromSystem(devmem, args, first, end, src, dst)
        : this.mapFromPeer(devmem, source, args, first, end, src, dst);
    let errno = mapErrno;
    if (errno === Errno.OK) {
      errno =
        source === null
          ? yield* devmem.ops.copyToDevmem(devmem, srcId, dstId, end - first)
          : yield* source.ops.copyToRam(source, srcId, dstId, end - first);
    }
    if (source === null) this.unmapAll(devmem.dpagemap.device, src, end - first);
    else this.unmapFromPeer(devmem.dpagemap, source.dpagemap.device, dst, end - first);
    this.arrays.giveBack(srcId);
    this.arrays.giveBack(dstId);
    const device = source === null ? -1 : source.dpagemap.device.index;
    sched.at(PagemapStep.copied, args.start + first, end - first, device, sched.now() - startedNs);
    return errno;
  }

  /** RAM and holes: the destination reads system memory. */
  private mapFromSystem(
    devmem: Devmem,
    args: MigrateVmaArgs,
    first: number,
    end: number,
    src: Uint32Array,
    dst: Uint32Array,
  ): Errno {
    const { device } = devmem.dpagemap;
    src.fill(0, 0, end - first);
    for (let i = first; i < end; i++) {
      dst[i - first] = dmaAddr(DmaProto.Vram, this.pageAt(args.dst, i), DmaDir.Bidirectional);
      const pfn = this.pageAt(args.src, i);
      if (pfn === NO_PFN) continue;
      const addr = device.dmaMapPage(pfn, DmaDir.ToDevice);
      if (addr < 0) return Errno.ENOMEM;
      src[i - first] = addr;
    }
    return Errno.OK;
  }

  /** Another device's pages: the source writes to the destination over the peer link. */
  private mapFromPeer(
    devmem: Devmem,
    source: Devmem,
    args: MigrateVmaArgs,
    first: number,
    end: number,
    src: Uint32Array,
    dst: Uint32Array,
  ): Errno {
    const { dpagemap } = devmem;
    dst.fill(0, 0, end - first);
    for (let i = first; i < end; i++) {
      src[i - first] = dmaAddr(DmaProto.Vram, this.pageAt(args.src, i), DmaDir.Bidirectional);
      const to = this.pageAt(args.dst, i);
      const addr = dpagemap.ops.deviceMap(dpagemap, source.dpagemap.device, to, 0, DmaDir.FromDevice);
      if (addr < 0) return Errno.EFAULT;
      dst[i - first] = addr;
    }
    return Errno.OK;
  }

  /** Undoes {@link mapFromPeer}, as far as it got. */
  private unmapFromPeer(dpagemap: DrmPagemap, device: DrmDevice, addrs: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) dpagemap.ops.deviceUnmap(dpagemap, device, addr);
    }
  }

  private pageAt(entries: Uint32Array, i: number): Pfn {
    return migratePfnToPfn(migratePfnAt(entries, i));
  }

  /** Ends DMA access to RAM. */
  private unmapAll(device: DrmDevice, addrs: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) device.dmaUnmapPage(addr);
    }
  }

  /** @kernel drm_pagemap_migration_unlock_put_pages */
  private unlockAndPutAll(entries: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const pfn = this.pageAt(entries, i);
      entries[i] = 0;
      if (pfn === NO_PFN) continue;
      this.kernel.folioLocks.unlock(pfn);
      this.kernel.folios.put(pfn);
    }
  }

  private reportMoved(args: MigrateVmaArgs, devmem: Devmem, startedNs: number): void {
    const { sched } = this.kernel;
    const npages = args.end - args.start;
    const device = devmem.dpagemap.device.index;
    sched.at(PagemapStep.toDevmemDone, args.start, npages, device, sched.now() - startedNs);
  }

  /**
   * Moves all pages of the allocation home, wherever they are mapped; no mmap_lock. OK exactly when no page is left. Errors: -EFAULT (the
   * address space is going: its exit frees the pages), -EBUSY (pages stayed in use), -ENOMEM, -EIO.
   * @kernel drm_pagemap_evict_to_ram
   */
  *evictToRam(devmem: Devmem): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const device = devmem.dpagemap.device.index;
    if (!devmem.mm.getNotZero()) return Errno.EFAULT;
    if (sched.reach(PagemapStep.evict, device, devmem.npages, devmem.allocation)) yield STEP;
    let errno: Errno = Errno.OK;
    for (let pass = 0; pass < EVICT_PASSES && !devmem.detached.isDone; pass++) {
      errno = yield* this.evictPass(devmem);
    }
    devmem.mm.put();
    if (devmem.detached.isDone) errno = Errno.OK;
    else if (errno === Errno.OK) errno = Errno.EBUSY;
    sched.at(PagemapStep.evictDone, device, devmem.npages, errno, sched.now() - startedNs);
    return errno;
  }

  private *evictPass(devmem: Devmem): Steps<Errno> {
    const { npages } = devmem;
    const src = new Uint32Array(npages);
    const dst = new Uint32Array(npages);
    const populateErrno = devmem.ops.populateDevmemPfn(devmem, npages, src);
    if (populateErrno !== Errno.OK) return populateErrno;
    this.dropForeignPages(devmem, src, npages);
    const collected = yield* this.migrateDevice.pfns(src, npages);
    let errno: Errno = Errno.OK;
    if (collected > 0) {
      errno = yield* this.copyHome(devmem, src, dst, npages, NO_PFN);
      if (errno === Errno.OK) yield* this.migrateDevice.pages(src, dst, npages);
    }
    yield* this.migrateDevice.finalize(src, dst, npages);
    return errno;
  }

  /** Pages of the allocation that were freed need no move. */
  private dropForeignPages(devmem: Devmem, src: Uint32Array, npages: number): void {
    const { folios } = this.kernel;
    for (let i = 0; i < npages; i++) {
      const zdd = this.zdds.find(folios.zoneData(pfnOf(src[i])));
      if (zdd === null || zdd.devmem !== devmem) src[i] = 0;
    }
  }

  /**
   * Serves a CPU fault on a device page by bringing the allocation's pages around it home. Until the timeslice ends it does nothing, and the
   * CPU faults again. An error kills the access.
   * @kernel drm_pagemap_migrate_to_ram
   */
  *migrateToRam(fault: DeviceFault): Steps<Errno> {
    const { sched, folios } = this.kernel;
    const zdd = this.zdds.get(folios.zoneData(fault.pfn));
    const { devmem } = zdd;
    assert(devmem !== null, 'a mapped device page belongs to no allocation');
    const remainingNs = devmem.timesliceExpirationNs - sched.now();
    if (remainingNs > 0) {
      if (sched.reach(PagemapStep.timeslice, fault.page, remainingNs, devmem.dpagemap.device.index))
        yield STEP;
      return Errno.OK;
    }
    zdd.refs++;
    const errno = yield* this.migrateAround(fault, zdd, devmem);
    this.zdds.put(zdd);
    return errno;
  }

  private *migrateAround(fault: DeviceFault, zdd: Zdd, devmem: Devmem): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const { mm, vma, page, pfn } = fault;
    const around = devmem.ops.pagesPerCpuFault(devmem, mm, page);
    const low = alignDown(page, around);
    const start = Math.max(low, vma.start) as Vpn;
    const end = Math.min(low + around, vma.end) as Vpn;
    const npages = end - start;
    if (sched.reach(PagemapStep.toRam, start, npages, devmem.dpagemap.device.index)) yield STEP;
    const args: MigrateVmaArgs = {
      mm,
      vma,
      start,
      end,
      src: new Uint32Array(npages),
      dst: new Uint32Array(npages),
      flags: SELECT_DEVICE,
      pgmapOwner: devmem.dpagemap.pagemap.owner,
      faultPage: pfn,
      cpages: 0,
    };
    let errno = yield* this.migrateVma.setup(args);
    if (errno !== Errno.OK) return errno;
    if (args.cpages > 0) {
      const mine = this.onlyOf(args.src, npages, zdd);
      errno = yield* this.copyHome(devmem, mine, args.dst, npages, pfn);
      if (errno === Errno.OK) yield* this.migrateVma.pages(args);
    }
    yield* this.migrateVma.finalize(args);
    sched.at(PagemapStep.toRamDone, start, npages, errno, sched.now() - startedNs);
    return errno;
  }

  /** Only pages with the fault page's zone device data come home; holes and others are restored. */
  private onlyOf(src: Uint32Array, npages: number, zdd: Zdd): Uint32Array {
    const mine = new Uint32Array(npages);
    for (let i = 0; i < npages; i++) if (this.sourceAt(src, i) === zdd) mine[i] = src[i];
    return mine;
  }

  /** Allocates RAM for each page in `src` that is to move, and has the device copy. On an error `dst` is empty. */
  private *copyHome(
    devmem: Devmem,
    src: Uint32Array,
    dst: Uint32Array,
    npages: number,
    faultPage: Pfn,
  ): Steps<Errno> {
    assert(faultPage === NO_PFN || this.kernel.folios.isLocked(faultPage), 'the fault page must be locked');
    let errno = this.populateRam(src, dst, npages);
    if (errno === Errno.OK) errno = yield* this.copyToRam(devmem, src, dst, npages);
    if (errno !== Errno.OK) this.unlockAndPutAll(dst, npages);
    return errno;
  }

  /** @kernel drm_pagemap_migrate_populate_ram_pfn */
  private populateRam(src: Uint32Array, dst: Uint32Array, npages: number): Errno {
    for (let i = 0; i < npages; i++) {
      if ((src[i] & MigratePfnFlag.MIGRATE) === 0 || this.pageAt(src, i) === NO_PFN) continue;
      const page = this.kernel.allocPage();
      if (page === NO_PFN) return Errno.ENOMEM;
      this.kernel.folioLocks.lockNew(page);
      dst[i] = migratePfn(page, 0);
    }
    return Errno.OK;
  }

  private *copyToRam(devmem: Devmem, src: Uint32Array, dst: Uint32Array, npages: number): Steps<Errno> {
    const { device } = devmem.dpagemap;
    const [fromId, toId] = yield* this.arrays.borrowPair();
    const from = this.arrays.arrays.view(fromId);
    const to = this.arrays.arrays.view(toId);
    let errno = this.mapToSystem(device, src, dst, npages, from, to);
    if (errno === Errno.OK) errno = yield* devmem.ops.copyToRam(devmem, fromId, toId, npages);
    this.unmapAll(device, to, npages);
    this.arrays.giveBack(fromId);
    this.arrays.giveBack(toId);
    return errno;
  }

  private mapToSystem(
    device: DrmDevice,
    src: Uint32Array,
    dst: Uint32Array,
    npages: number,
    from: Uint32Array,
    to: Uint32Array,
  ): Errno {
    to.fill(0, 0, npages);
    for (let i = 0; i < npages; i++) {
      const page = this.pageAt(dst, i);
      if (page === NO_PFN) continue;
      const addr = device.dmaMapPage(page, DmaDir.FromDevice);
      if (addr < 0) return Errno.ENOMEM;
      from[i] = dmaAddr(DmaProto.Vram, this.pageAt(src, i), DmaDir.Bidirectional);
      to[i] = addr;
    }
    return Errno.OK;
  }

  /** The last reference to a device page is gone. Never sleeps. @kernel drm_pagemap_folio_free */
  folioFree(pfn: Pfn): void {
    const zdd = this.zdds.get(this.kernel.folios.zoneData(pfn));
    this.kernel.folios.setZoneData(pfn, 0);
    this.zdds.put(zdd);
  }
}
