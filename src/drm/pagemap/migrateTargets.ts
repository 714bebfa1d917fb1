/** The pages that a migration fills: made, locked, before anything is copied, and let go of when it fails. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_ORDER, PMD_PAGES } from '../../base/units.js';
import { MigratePfnFlag, migratePfn, NO_PFN, type Pfn, pfn as pfnOf } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { Zdd, ZddTable } from './devmem.js';
import { pageOfEntry, pagesOfEntry } from './migrateEntries.js';

export class MigrateTargets {
  constructor(
    private readonly kernel: Kernel,
    private readonly zdds: ZddTable,
  ) {}

  /**
   * Turns the raw pfns in `dst` into locked folios that refer to `zdd`, one reference each: a large one where the source is, if the memory is
   * one aligned block there; else small ones, for which the source will be split.
   */
  initDevice(zdd: Zdd, src: Uint32Array, dst: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; ) {
      const covered = pagesOfEntry(src, i);
      if (covered === PMD_PAGES && isHugeBlock(dst, i)) this.initFolio(zdd, dst, i, PMD_ORDER);
      else for (let j = i; j < i + covered; j++) this.initFolio(zdd, dst, j, 0);
      i += covered;
    }
  }

  /** Makes a page of the allocation a locked folio with one reference, which belongs to `zdd`. @kernel drm_pagemap_get_devmem_page, zone_device_folio_init */
  initFolio(zdd: Zdd, dst: Uint32Array, i: number, order: number): void {
    const { folios, folioLocks } = this.kernel;
    const pfn = pfnOf(dst[i]);
    // Initialising a page that an old owner still refers to would destroy that reference.
    assert(folios.refcount(pfn) === 0, 'a device page is initialised while it is in use');
    folios.prepareNew(pfn, order, 1);
    folioLocks.lockNew(pfn);
    folios.setZoneData(pfn, this.zdds.take(zdd).id);
    if (order > 0) dst.fill(0, i, i + (1 << order));
    dst[i] = migratePfn(pfn, order > 0 ? MigratePfnFlag.COMPOUND : 0);
  }

  /**
   * RAM for each page in `src` that is to move: a large folio for a large one, or small pages when there is none. -ENOMEM leaves in `dst` what
   * there is so far.
   * @kernel drm_pagemap_migrate_populate_ram_pfn
   */
  allocRam(src: Uint32Array, dst: Uint32Array, npages: number): Errno {
    for (let i = 0; i < npages; ) {
      const covered = pagesOfEntry(src, i);
      const moves = (src[i] & MigratePfnFlag.MIGRATE) !== 0 && pageOfEntry(src, i) !== NO_PFN;
      if (moves && !(covered > 1 && this.allocLarge(dst, i)) && !this.allocSmall(dst, i, covered)) {
        return Errno.ENOMEM;
      }
      i += covered;
    }
    return Errno.OK;
  }

  /** False: there is none, and small pages will do. @kernel drm_pagemap_fault_inject_folio */
  allocLarge(dst: Uint32Array, i: number): boolean {
    const head = this.kernel.allocFolio(PMD_ORDER);
    if (head === NO_PFN) return false;
    this.kernel.folioLocks.lockNew(head);
    dst[i] = migratePfn(head, MigratePfnFlag.COMPOUND);
    return true;
  }

  allocSmall(dst: Uint32Array, first: number, npages: number): boolean {
    for (let i = first; i < first + npages; i++) {
      const page = this.kernel.allocPage();
      if (page === NO_PFN) return false;
      this.kernel.folioLocks.lockNew(page);
      dst[i] = migratePfn(page, 0);
    }
    return true;
  }

  /** Leaves `dst` empty, so that finalize puts everything back where it was. @kernel drm_pagemap_migration_unlock_put_pages */
  unlockAndPutAll(dst: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const pfn: Pfn = pageOfEntry(dst, i);
      dst[i] = 0;
      if (pfn !== NO_PFN) this.unlockAndPut(pfn);
    }
  }

  /** Of a whole folio, by its head. @kernel drm_pagemap_migration_unlock_put_folio, drm_pagemap_migration_unlock_put_page */
  unlockAndPut(head: Pfn): void {
    this.kernel.folioLocks.unlock(head);
    this.kernel.folios.put(head);
  }
}

/** Whether the raw pfns from `i` on are one block as large and as aligned as a huge page. */
function isHugeBlock(pfns: Uint32Array, i: number): boolean {
  if (i + PMD_PAGES > pfns.length || pfns[i] % PMD_PAGES !== 0) return false;
  for (let j = 1; j < PMD_PAGES; j++) if (pfns[i + j] !== pfns[i] + j) return false;
  return true;
}
