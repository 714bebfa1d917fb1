/** drm_pagemap: migration of a span to device memory; with the way back and the life of device pages, all that drivers call. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import type { PageArrayPool } from '../../memory/pageArrays.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { DeviceFault, DevPagemapOps } from '../../mm/migrate/devPagemap.js';
import type { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import { MigrateSelect, type MigrateVma, type MigrateVmaArgs } from '../../mm/migrate/migrateVma.js';
import type { Mm } from '../../mm/process/mm.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { type Devmem, releaseDevmem, type Zdd, type ZddTable } from './devmem.js';
import { DevmemToRam } from './devmemToRam.js';
import type { DrmPagemap } from './drmPagemap.js';
import { MigrateCopy } from './migrateCopy.js';
import { countCollected, countMigrated, pagesOfEntry } from './migrateEntries.js';
import { MigrateTargets } from './migrateTargets.js';
import { PagemapStep } from './pagemapStep.js';

/** @kernel drm_pagemap_migrate_details */
export interface MigrateDetails {
  /** How long the pages stay on the device at least. */
  readonly timesliceNs: number;
  /** Pages that already lie in the target's memory may be moved within it. */
  readonly canMigrateSamePagemap: boolean;
}

const SELECT_ALL =
  MigrateSelect.System | MigrateSelect.DevicePrivate | MigrateSelect.DeviceCoherent | MigrateSelect.Compound;

export class PagemapMigrate {
  private readonly targets: MigrateTargets;
  private readonly copies: MigrateCopy;
  private readonly home: DevmemToRam;
  /** What the mm calls for pages of any pagemap. @kernel drm_pagemap_pagemap_ops, drm_pagemap_pagemap_ops_get */
  readonly pagemapOps: DevPagemapOps = {
    migrateToRam: (fault) => this.migrateToRam(fault),
    folioFree: (head) => this.folioFree(head),
    folioSplit: (head, npages) => this.folioSplit(head, npages),
  };

  constructor(
    private readonly kernel: Kernel,
    private readonly migrateVma: MigrateVma,
    migrateDevice: MigrateDevice,
    readonly zdds: ZddTable,
    arrays: PageArrayPool,
  ) {
    this.targets = new MigrateTargets(kernel);
    this.copies = new MigrateCopy(kernel, zdds, arrays);
    this.home = new DevmemToRam(kernel, migrateVma, migrateDevice, zdds, this.targets, this.copies);
  }

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
    if (this.kernel.allocationFails(AllocSite.MirrorObject)) {
      releaseDevmem(devmem);
      sched.at(PagemapStep.toDevmemFailed, start, end - start, Errno.ENOMEM, sched.now() - startedNs);
      return Errno.ENOMEM;
    }
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
    // All or nothing; cpages counts a large folio once.
    if (countCollected(args.src, npages) !== npages) return Errno.EBUSY;
    const own = this.countOwn(args.src, npages, devmem.dpagemap);
    if (own > 0 && !details.canMigrateSamePagemap) return own === npages ? Errno.OK : Errno.EBUSY;
    let errno = devmem.ops.populateDevmemPfn(devmem, npages, args.dst);
    if (errno !== Errno.OK) {
      args.dst.fill(0, 0, npages);
      return errno;
    }
    this.targets.initDevice(zdd, args.src, args.dst, npages);
    if (this.kernel.sched.reach(PagemapStep.populated, args.start, npages, devmem.dpagemap.device.index))
      yield STEP;
    errno = yield* this.copies.toDevmem(devmem, args, npages);
    if (errno !== Errno.OK) {
      this.targets.unlockAndPutAll(args.dst, npages);
      return errno;
    }
    // The pages are still locked, so nobody sees them before the allocation is known.
    zdd.devmem = devmem;
    devmem.timesliceExpirationNs = this.kernel.sched.now() + details.timesliceNs;
    yield* this.migrateVma.pages(args);
    return countMigrated(args.src, args.dst, npages) === npages ? Errno.OK : Errno.EBUSY;
  }

  private countOwn(src: Uint32Array, npages: number, dpagemap: DrmPagemap): number {
    let own = 0;
    for (let i = 0; i < npages; i += pagesOfEntry(src, i)) {
      if (this.copies.sourceAt(src, i)?.dpagemap === dpagemap) own += pagesOfEntry(src, i);
    }
    return own;
  }

  private reportMoved(args: MigrateVmaArgs, devmem: Devmem, startedNs: number): void {
    const { sched } = this.kernel;
    const npages = args.end - args.start;
    const device = devmem.dpagemap.device.index;
    sched.at(PagemapStep.toDevmemDone, args.start, npages, device, sched.now() - startedNs);
  }

  /** Brings all pages of the allocation home, see {@link DevmemToRam.evictToRam}. */
  evictToRam(devmem: Devmem): Steps<Errno> {
    return this.home.evictToRam(devmem);
  }

  /** Serves a CPU fault on a device page, see {@link DevmemToRam.migrateToRam}. */
  migrateToRam(fault: DeviceFault): Steps<Errno> {
    return this.home.migrateToRam(fault);
  }

  /** The last reference to a device folio is gone. Never sleeps. @kernel drm_pagemap_folio_free */
  folioFree(head: Pfn): void {
    const zdd = this.zdds.get(this.kernel.folios.zoneData(head));
    this.kernel.folios.setZoneData(head, 0);
    this.zdds.put(zdd);
  }

  /** A large device folio has become `npages` small ones: each refers to the data now. @kernel drm_pagemap_folio_split */
  folioSplit(head: Pfn, npages: number): void {
    this.zdds.get(this.kernel.folios.zoneData(head)).refs += npages - 1;
  }
}
