/** The way to RAM of pages that no fault of a CPU brings home: those that CPUs reach where they are, and those that nobody may touch. Their allocations are emptied. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { PagemapMigrate } from '../drm/pagemap/pagemapMigrate.js';
import { NO_PFN, type Pfn } from '../memory/pfn.js';
import type { ZoneKind } from '../memory/zone.js';
import type { Kernel } from '../mm/kernel.js';
import type { Mm } from '../mm/process/mm.js';
import { pteFromWord, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { DriverDevmem } from './driverDevmem.js';

export class AllocationHome {
  constructor(
    private readonly kernel: Kernel,
    private readonly migrate: PagemapMigrate,
    private readonly bringAllHome: (devmem: DriverDevmem) => Steps<Errno>,
    /** Pages of other kinds of memory are left where they are. */
    private readonly kinds: readonly ZoneKind[],
  ) {}

  /** Whether some device has such memory. */
  get isNeeded(): boolean {
    return this.kernel.memory.layout.zones.some(({ kind }) => this.kinds.includes(kind));
  }

  /** Empties each allocation that has a page of the half-open span, whole; nobody is asked whether he may access it. Errors: those of `drm_pagemap_evict_to_ram`. @kernel svm_migrate_vram_to_ram */
  *bringHome({ pageTable }: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    for (let page: number = pageTable.nextPopulated(start, end); page < end; ) {
      const pfn = this.pageOf(pageTable.get(page));
      const errno = pfn === NO_PFN ? Errno.OK : yield* this.empty(pfn);
      if (errno !== Errno.OK) return errno;
      page = pageTable.nextPopulated(page + 1, end);
    }
    return Errno.OK;
  }

  private empty(pfn: Pfn): Steps<Errno> {
    const { devmem } = this.migrate.zdds.get(this.kernel.folios.zoneData(pfn));
    assert(devmem instanceof DriverDevmem, 'a page of a device lies in no allocation of the driver');
    return this.bringAllHome(devmem);
  }

  /** The page of an entry where it is of such memory, and of this driver's: others know nothing of allocations. */
  private pageOf(entry: number): Pfn {
    const pte = pteFromWord(entry);
    if (!pteIsMapping(pte)) return NO_PFN;
    const pfn = ptePfn(pte);
    const isOwn = this.kernel.pagemapOf(pfn)?.ops === this.migrate.pagemapOps;
    return isOwn && this.kinds.includes(this.kernel.memory.layout.zoneOf(pfn).kind) ? pfn : NO_PFN;
  }
}
