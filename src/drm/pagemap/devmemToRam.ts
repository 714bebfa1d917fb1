/** The way home of device pages: of a whole allocation by eviction, and of what lies around a page that the CPU touched. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { alignDown, type Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { DeviceFault } from '../../mm/migrate/devPagemap.js';
import { migrateVmaArgs } from '../../mm/migrate/migrateArgs.js';
import type { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import { MigrateSelect, type MigrateVma } from '../../mm/migrate/migrateVma.js';
import { STEP, type Steps } from '../../sim/steps.js';
import type { Devmem, Zdd, ZddTable } from './devmem.js';
import type { MigrateCopy } from './migrateCopy.js';
import { pagesOfEntry } from './migrateEntries.js';
import type { MigrateTargets } from './migrateTargets.js';
import { PagemapStep } from './pagemapStep.js';

/** Attempts of an eviction before it gives up. */
const EVICT_PASSES = 3;

/** Modelled time of a fault that finds its page kept on the device: who faults within the kernel takes none, and would fault for ever. */
const RETRY_NS = 1_000;

const SELECT_DEVICE = MigrateSelect.DevicePrivate | MigrateSelect.DeviceCoherent | MigrateSelect.Compound;

export class DevmemToRam {
  constructor(
    private readonly kernel: Kernel,
    private readonly migrateVma: MigrateVma,
    private readonly migrateDevice: MigrateDevice,
    private readonly zdds: ZddTable,
    private readonly targets: MigrateTargets,
    private readonly copies: MigrateCopy,
  ) {}

  /**
   * Moves all pages of the allocation home, wherever they are mapped; no mmap_lock. OK exactly when no page is left. Errors: -EFAULT (the
   * address space is going: its exit frees the pages), -EBUSY (pages stayed in use), -ENOMEM, -EIO.
   * @kernel drm_pagemap_evict_to_ram
   */
  *evictToRam(devmem: Devmem): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const device = devmem.dpagemap.device.index;
    if (sched.reach(PagemapStep.evict, device, devmem.npages, devmem.allocation)) yield STEP;
    const errno = yield* this.evictInPasses(devmem);
    sched.at(PagemapStep.evictDone, device, devmem.npages, errno, sched.now() - startedNs);
    return errno;
  }

  /** Whatever a pass reports, only `detached` says that no page is left; of several errors the last one counts. */
  private *evictInPasses(devmem: Devmem): Steps<Errno> {
    let errno: Errno = Errno.OK;
    for (let pass = 0; pass < EVICT_PASSES; pass++) {
      if (devmem.detached.isDone) return Errno.OK;
      if (
        pass > 0 &&
        this.kernel.sched.reach(PagemapStep.evictRetry, devmem.npages, devmem.allocation, errno)
      )
        yield STEP;
      if (!devmem.mm.getNotZero()) return Errno.EFAULT;
      errno = yield* this.evictPass(devmem);
      devmem.mm.put();
    }
    if (devmem.detached.isDone) return Errno.OK;
    return errno === Errno.OK ? Errno.EBUSY : errno;
  }

  /** Pages that were freed meanwhile, or that somebody else has locked, are not collected. */
  *evictPass(devmem: Devmem): Steps<Errno> {
    const { npages } = devmem;
    // It was given back between two passes: its pages are others' now.
    if (devmem.detached.isDone) return Errno.OK;
    const src = new Uint32Array(npages);
    const dst = new Uint32Array(npages);
    const populateErrno = devmem.copyOps.populateDevmemPfn(devmem, npages, src);
    if (populateErrno !== Errno.OK) return populateErrno;
    const collected = yield* this.migrateDevice.pfns(src, npages);
    let errno: Errno = Errno.OK;
    if (collected > 0) {
      errno = yield* this.copyHome(devmem, src, dst, npages, NO_PFN);
      if (errno === Errno.OK) yield* this.migrateDevice.pages(src, dst, npages);
    }
    yield* this.migrateDevice.finalize(src, dst, npages);
    return errno;
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
    const remainingNs = this.timesliceLeft(devmem);
    if (remainingNs > 0) {
      if (sched.reach(PagemapStep.timeslice, fault.page, remainingNs, devmem.dpagemap.device.index))
        yield STEP;
      yield* sched.spend(RETRY_NS);
      return Errno.OK;
    }
    this.zdds.hold(zdd, sched.self);
    const errno = yield* this.migrateAround(fault, zdd, devmem);
    this.zdds.letGo(zdd, sched.self);
    return errno;
  }

  /** Nanoseconds for which the pages stay, whoever faults on them; not positive: none. */
  timesliceLeft(devmem: Devmem): number {
    return devmem.timesliceExpirationNs - this.kernel.sched.now();
  }

  /** The page of a CPU fault and its neighbours in the allocation come home. mmap_lock is held for read. @kernel __drm_pagemap_migrate_to_ram */
  private *migrateAround(fault: DeviceFault, zdd: Zdd, devmem: Devmem): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const { mm, vma, pfn } = fault;
    const { start, end } = this.spanOf(fault, devmem);
    const npages = end - start;
    if (sched.reach(PagemapStep.toRam, start, npages, devmem.dpagemap.device.index, mm.id)) yield STEP;
    const select = { flags: SELECT_DEVICE, pgmapOwner: devmem.dpagemap.pagemap.owner };
    const args = migrateVmaArgs(mm, vma, { start, end }, select, pfn);
    let errno = yield* this.migrateVma.setup(args);
    if (errno !== Errno.OK) return errno;
    if (args.cpages > 0) {
      const mine = this.onlyOf(args.src, npages, zdd);
      errno = yield* this.copyHome(devmem, mine, args.dst, npages, pfn);
      if (errno === Errno.OK) yield* this.migrateVma.pages(args);
    }
    yield* this.migrateVma.finalize(args);
    sched.at(PagemapStep.toRamDone, start, npages, errno, sched.now() - startedNs);
    if (errno === Errno.OK && args.cpages > 0) {
      const step = fault.byProgram ? PagemapStep.cpuMigrated : PagemapStep.hmmMigrated;
      sched.at(step, start, npages, devmem.dpagemap.device.index, mm.id);
    }
    return errno;
  }

  /** The aligned window around the page that the allocation may fill, within the area, part of which may be unmapped. */
  spanOf({ mm, vma, page }: DeviceFault, devmem: Devmem): { start: Vpn; end: Vpn } {
    const around = devmem.ops.pagesPerCpuFault(devmem, mm, page);
    const low = alignDown(page, around);
    return { start: Math.max(low, vma.start) as Vpn, end: Math.min(low + around, vma.end) as Vpn };
  }

  /** Only pages with the fault page's zone device data come home; holes and others are restored. */
  onlyOf(src: Uint32Array, npages: number, zdd: Zdd): Uint32Array {
    const mine = new Uint32Array(npages);
    for (let i = 0; i < npages; i += pagesOfEntry(src, i)) {
      if (this.copies.sourceAt(src, i) === zdd) mine[i] = src[i];
    }
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
    let errno = this.targets.allocRam(src, dst, npages);
    if (errno === Errno.OK) errno = yield* this.copies.toRam(devmem, src, dst, npages);
    if (errno !== Errno.OK) this.targets.unlockAndPutAll(dst, npages);
    return errno;
  }
}
