/** Remembers that device memory was used, so that what is used stays longest. */

import type { GpuSvmPages } from '../../drm/gpusvm/pages.js';
import type { ZddTable } from '../../drm/pagemap/devmem.js';
import { DmaProto, dmaAddrAt, dmaPage, dmaProto, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import type { FolioTable } from '../../memory/folios.js';
import { pfn as pfnOf } from '../../memory/pfn.js';
import { DriverDevmem } from '../driverDevmem.js';

export class VramUse {
  constructor(
    private readonly folios: FolioTable,
    private readonly zdds: ZddTable,
  ) {}

  /** A device binds these pages, which are valid; the notifier lock is held. */
  touchPages({ dmaAddrs, dpagemap }: GpuSvmPages): void {
    if (dpagemap === null || dmaAddrs === null) return;
    const addr = dmaAddrAt(dmaAddrs, 0);
    if (addr === NO_DMA_ADDR || dmaProto(addr) === DmaProto.System) return;
    const devmem = this.zdds.find(this.folios.zoneData(pfnOf(dmaPage(addr))))?.devmem;
    if (devmem instanceof DriverDevmem) devmem.gpu.lru.touch(devmem);
  }
}
