/** drm_pagemap: migration of a span to device memory; with the way back and the life of device pages, all that drivers call. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import type { PageArrayPool } from '../../memory/pageArrays.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { DeviceFault, DevPagemapOps } from '../../mm/migrate/devPagemap.js';
import { type MigrateVmaArgs, migrateVmaArgs } from '../../mm/migrate/migrateArgs.js';
import type { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import { MigrateSelect, type MigrateVma } from '../../mm/migrate/migrateVma.js';
import type { Mm } from '../../mm/process/mm.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { type Devmem, releaseDevmem, type Zdd, type ZddTable } from './devmem.js';
import { DevmemToRam } from './devmemToRam.js';
import type { DrmPagemap } from './drmPagemap.js';
import { MigrateCopy } from './migrateCopy.js';
import { countCollected, countMigrated, pagesOfEntry } from './migrateEntries.js';
import { MigrateTargets } from './migrateTargets.js';
import { PagemapStep } from './pagemapStep.js';

/** How a migration to a device is to go. @kernel drm_pagemap_migrate_details */
export interface MigrateDetails {
  /** How long the pages stay on the device at least. @kernel timeslice_ms */
  readonly timesliceNs: number;
  /** Pages that already lie in the target's memory may be moved within it. @kernel can_migrate_same_pagemap */
  readonly canMigrateSamePagemap: boolean;
  /** Between devices the source writes, unless this is false: then the destination reads. @kernel source_peer_migrates */
  readonly sourcePeerMigrates?: boolean;
}

/** All pages are where they should be. */
const NOTHING_TO_DO = 'nothing to do';

const SELECT_ALL =
  MigrateSelect.System | MigrateSelect.DevicePrivate | MigrateSelect.DeviceCoherent | MigrateSelect.Compound;

export class PagemapMigrate {
  readonly targets: MigrateTargets;
  readonly copies: MigrateCopy;
  readonly home: DevmemToRam;
  /** What the mm calls for pages of any pagemap. @kernel drm_pagemap_pagemap_ops, drm_pagemap_pagemap_ops_get */
  readonly pagemapOps: DevPagemapOps = {
    migrateToRam: (fault) => this.migrateToRam(fault),
    folioFree: (head) => this.folioFree(head),
    folioSplit: (head, npages) => this.folioSplit(head, npages),
  };

  constructor(
    private readonly kernel: Kernel,
    readonly migrateVma: MigrateVma,
    migrateDevice: MigrateDevice,
    readonly zdds: ZddTable,
    arrays: PageArrayPool,
  ) {
    this.targets = new MigrateTargets(kernel, zdds);
    this.copies = new MigrateCopy(kernel, zdds, arrays);
    this.home = new DevmemToRam(kernel, migrateVma, migrateDevice, zdds, this.targets, this.copies);
  }

  /**
   * Moves [start, end) to the allocation, from RAM, holes and other devices, all pages or none. mmap_lock is held for read. The caller's
   * reference on `devmem` is consumed in every outcome. Errors: -EOPNOTSUPP (the driver lacks an operation), -ENOENT (no area), -EINVAL (beyond
   * it), -EBUSY (not anonymous; some page could not be collected or moved), -EFAULT (a peer cannot be reached), -EIO, -ENOMEM.
   * @kernel drm_pagemap_migrate_to_devmem
   */
  *migrateToDevmem(devmem: Devmem, mm: Mm, start: Vpn, end: Vpn, details: MigrateDetails): Steps<Errno> {
    mm.mmapLock.assertHeld();
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const device = devmem.dpagemap.device.index;
    if (sched.reach(PagemapStep.toDevmem, start, end - start, device, devmem.allocation)) yield STEP;
    let errno = this.checkSpan(devmem, mm, start, end);
    const zdd = errno === Errno.OK ? this.allocZdd(devmem) : null;
    if (zdd === null) {
      if (errno === Errno.OK) errno = Errno.ENOMEM;
      releaseDevmem(devmem);
    } else {
      errno = yield* this.migrateSpan(devmem, zdd, mm, start, end, details);
      this.zdds.letGo(zdd, sched.self);
    }
    const tookNs = sched.now() - startedNs;
    if (errno !== Errno.OK) sched.at(PagemapStep.toDevmemFailed, start, end - start, errno, tookNs);
    return errno;
  }

  /** Whether there is anything that could migrate. */
  checkSpan(devmem: Devmem, mm: Mm, start: Vpn, end: Vpn): Errno {
    if (devmem.migrationOps === null) return Errno.EOPNOTSUPP;
    const vma = mm.vmas.find(start);
    if (vma === null) return Errno.ENOENT;
    if (end > vma.end || start < vma.start) return Errno.EINVAL;
    return vma.isAnonymous ? Errno.OK : Errno.EBUSY;
  }

  /** The migration's own reference; with it the allocation belongs to the data. Null: no memory. @kernel drm_pagemap_zdd_alloc */
  allocZdd(devmem: Devmem): Zdd | null {
    if (this.kernel.allocationFails(AllocSite.MirrorObject)) return null;
    const zdd = this.zdds.create(devmem.dpagemap);
    zdd.devmem = devmem;
    devmem.users.push(this.kernel.sched.self);
    return zdd;
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
    assert(vma !== null, 'the area went away under mmap_lock');
    const select = { flags: SELECT_ALL, pgmapOwner: devmem.dpagemap.pagemap.owner };
    const args = migrateVmaArgs(mm, vma, { start, end }, select);
    const startedNs = sched.now();
    const setupErrno = yield* this.migrateVma.setup(args);
    if (setupErrno !== Errno.OK) return setupErrno;
    sched.at(PagemapStep.collected, start, npages, args.cpages, sched.now() - startedNs);
    // Raced with others, or pages of devices that are no peers: there is nothing to put back.
    if (args.cpages === 0) return Errno.EBUSY;
    const obstacle = this.obstacleTo(devmem, args, details);
    const errno = obstacle === Errno.OK ? yield* this.moveAll(devmem, zdd, args, details) : obstacle;
    yield* this.migrateVma.finalize(args);
    const tookNs = sched.now() - startedNs;
    if (errno === NOTHING_TO_DO) {
      sched.at(PagemapStep.alreadyThere, start, npages, 0, tookNs);
      return Errno.OK;
    }
    if (errno === Errno.OK)
      sched.at(PagemapStep.toDevmemDone, start, npages, devmem.dpagemap.device.index, tookNs);
    return errno;
  }

  /** All or nothing: what was collected must be all, and none of it in this memory already, unless it may move within it. */
  obstacleTo(devmem: Devmem, args: MigrateVmaArgs, details: MigrateDetails): Errno | typeof NOTHING_TO_DO {
    const npages = args.end - args.start;
    // cpages counts a large folio once.
    if (args.cpages !== npages && countCollected(args.src, npages) !== npages) return Errno.EBUSY;
    const own = this.countOwn(args.src, npages, devmem.dpagemap);
    if (own === npages) return NOTHING_TO_DO;
    return own > 0 && !details.canMigrateSamePagemap ? Errno.EBUSY : Errno.OK;
  }

  /** Between setup and finalize. An error before the last step leaves `dst` empty, so that finalize restores everything. */
  private *moveAll(devmem: Devmem, zdd: Zdd, args: MigrateVmaArgs, details: MigrateDetails): Steps<Errno> {
    const npages = args.end - args.start;
    let errno = this.populate(devmem, zdd, args);
    if (errno !== Errno.OK) return errno;
    if (this.kernel.sched.reach(PagemapStep.populated, args.start, npages, devmem.dpagemap.device.index))
      yield STEP;
    errno = yield* this.copies.toDevmem(devmem, args, npages, details.sourcePeerMigrates ?? true);
    if (errno !== Errno.OK) {
      this.targets.unlockAndPutAll(args.dst, npages);
      return errno;
    }
    this.finishCopy(devmem, details);
    yield* this.migrateVma.pages(args);
    return this.verdict(args);
  }

  /** The allocation's pages as locked folios in `dst`. The driver writes raw numbers there, which must not stay if it fails. */
  populate(devmem: Devmem, zdd: Zdd, args: MigrateVmaArgs): Errno {
    const npages = args.end - args.start;
    const errno = devmem.copyOps.populateDevmemPfn(devmem, npages, args.dst);
    if (errno === Errno.OK) this.targets.initDevice(zdd, args.src, args.dst, npages);
    else args.dst.fill(0, 0, npages);
    return errno;
  }

  /** The pages are still locked, so nobody faults on them before the timeslice is known. */
  finishCopy(devmem: Devmem, details: MigrateDetails): void {
    devmem.preMigrateFence = null;
    devmem.timesliceExpirationNs = this.kernel.sched.now() + details.timesliceNs;
  }

  /** A page that somebody took a reference to during the copy has not moved, though its content was copied. */
  verdict(args: MigrateVmaArgs): Errno {
    const npages = args.end - args.start;
    return countMigrated(args.src, args.dst, npages) === npages ? Errno.OK : Errno.EBUSY;
  }

  private countOwn(src: Uint32Array, npages: number, dpagemap: DrmPagemap): number {
    let own = 0;
    for (let i = 0; i < npages; i += pagesOfEntry(src, i)) {
      if (this.copies.pagemapAt(src, i) === dpagemap) own += pagesOfEntry(src, i);
    }
    return own;
  }

  /** Brings all pages of the allocation home, see {@link DevmemToRam.evictToRam}. */
  evictToRam(devmem: Devmem): Steps<Errno> {
    return this.home.evictToRam(devmem);
  }

  /** Serves a CPU fault on a device page, see {@link DevmemToRam.migrateToRam}. */
  migrateToRam(fault: DeviceFault): Steps<Errno> {
    return this.home.migrateToRam(fault);
  }

  /** The last reference to a device folio is gone. Never sleeps. @kernel drm_pagemap_folio_free, drm_pagemap_page_free */
  folioFree(head: Pfn): void {
    const zdd = this.zddOf(head);
    this.kernel.folios.setZoneData(head, 0);
    this.zdds.put(zdd);
  }

  /** A large device folio has become `npages` small ones: each refers to the data now. @kernel drm_pagemap_folio_split */
  folioSplit(head: Pfn, npages: number): void {
    this.zdds.take(this.zddOf(head), npages - 1);
  }

  /** What a device page points to. @kernel drm_pagemap_page_zone_device_data */
  zddOf(page: Pfn): Zdd {
    return this.zdds.get(this.kernel.folios.zoneData(page));
  }

  /** The memory that a device page is in. @kernel drm_pagemap_page_to_dpagemap */
  pageToDpagemap(page: Pfn): DrmPagemap {
    return this.zddOf(page).dpagemap;
  }
}
