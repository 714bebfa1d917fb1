/** The way to RAM of pages that CPUs reach where they are: no fault of a CPU brings them home, so their allocations are emptied. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { ZddTable } from '../drm/pagemap/devmem.js';
import { NO_PFN, type Pfn } from '../memory/pfn.js';
import { ZoneKind } from '../memory/zone.js';
import type { Kernel } from '../mm/kernel.js';
import type { Mm } from '../mm/process/mm.js';
import { pteFromWord, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { DriverDevmem } from './driverDevmem.js';

export class CoherentHome {
  constructor(
    private readonly kernel: Kernel,
    private readonly zdds: ZddTable,
    private readonly bringAllHome: (devmem: DriverDevmem) => Steps<Errno>,
  ) {}

  /** Whether some device has such memory. */
  get isNeeded(): boolean {
    return this.kernel.memory.layout.zones.some(({ kind }) => kind === ZoneKind.DeviceCoherent);
  }

  /** Empties each allocation that has a page of the half-open span, whole. Errors: those of `drm_pagemap_evict_to_ram`. @kernel svm_migrate_vram_to_ram */
  *bringHome({ pageTable }: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    for (let page: number = pageTable.nextPopulated(start, end); page < end; ) {
      const pfn = this.coherentPage(pageTable.get(page));
      const errno = pfn === NO_PFN ? Errno.OK : yield* this.empty(pfn);
      if (errno !== Errno.OK) return errno;
      page = pageTable.nextPopulated(page + 1, end);
    }
    return Errno.OK;
  }

  private empty(pfn: Pfn): Steps<Errno> {
    const { devmem } = this.zdds.get(this.kernel.folios.zoneData(pfn));
    assert(devmem instanceof DriverDevmem, 'a page of a device lies in no allocation of the driver');
    return this.bringAllHome(devmem);
  }

  /** The page of an entry where it is of such memory. */
  private coherentPage(entry: number): Pfn {
    const pte = pteFromWord(entry);
    if (!pteIsMapping(pte)) return NO_PFN;
    const { kind } = this.kernel.memory.layout.zoneOf(ptePfn(pte));
    return kind === ZoneKind.DeviceCoherent ? ptePfn(pte) : NO_PFN;
  }
}
