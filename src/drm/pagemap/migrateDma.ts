/** RAM as one device reaches it while pages migrate: one reservation of I/O addresses for a whole run, filled without gaps. */

import { Errno } from '../../base/errno.js';
import { type DmaDir, dmaAddrAt, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import { DmaIovaState } from '../../memory/dmaIova.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { DrmDevice } from '../drmDevice.js';

/** Of one run of pages. @kernel drm_pagemap_iova_state */
export class RunIova {
  readonly state = new DmaIovaState();
  /** Pages linked so far: the place of the next one, however many holes there were. */
  offset = 0;
}

export class MigrateDma {
  /**
   * Maps the frames that there are; `addrs[i]` is empty where `frames[i]` is. Without room for a reservation each page is mapped by itself. An
   * error, -ENOMEM, leaves in `addrs` and `iova` what there is so far. @kernel drm_pagemap_migrate_map_system_pages, drm_pagemap_migrate_map_pages
   */
  map(
    device: DrmDevice,
    frames: Uint32Array,
    addrs: Uint32Array,
    npages: number,
    dir: DmaDir,
    iova: RunIova,
  ): Errno {
    addrs.fill(NO_DMA_ADDR, 0, npages);
    let hasTried = false;
    for (let i = 0; i < npages; i++) {
      const frame = frames[i] as Pfn;
      if (frame === NO_PFN) continue;
      if (!hasTried) {
        hasTried = true;
        device.dmaIovaTryAlloc(iova.state, npages);
      }
      const errno = iova.state.isUsed
        ? this.link(device, frame, addrs, i, dir, iova)
        : this.mapPage(device, frame, addrs, i, dir);
      if (errno !== Errno.OK) return errno;
    }
    return iova.state.isUsed ? device.dmaIovaSync(iova.state, 0, iova.offset) : Errno.OK;
  }

  /** The next page of the reservation. */
  link(device: DrmDevice, frame: Pfn, addrs: Uint32Array, i: number, dir: DmaDir, iova: RunIova): Errno {
    const addr = device.dmaIovaLink(iova.state, frame, iova.offset, 0, dir);
    if (addr < 0) return addr as Errno;
    iova.offset++;
    addrs[i] = addr;
    return Errno.OK;
  }

  private mapPage(device: DrmDevice, frame: Pfn, addrs: Uint32Array, i: number, dir: DmaDir): Errno {
    const addr = device.dmaMapPage(frame, dir);
    if (addr < 0) return addr as Errno;
    addrs[i] = addr;
    return Errno.OK;
  }

  /** Undoes {@link map}, as far as it got: the reservation as a whole, or page by page. @kernel drm_pagemap_migrate_unmap_pages, dma_iova_destroy */
  unmap(device: DrmDevice, addrs: Uint32Array, npages: number, dir: DmaDir, iova: RunIova): void {
    if (iova.state.isUsed) {
      if (iova.offset > 0) device.dmaIovaUnlink(iova.state, 0, iova.offset, dir);
      device.dmaIovaFree(iova.state);
      iova.offset = 0;
      return;
    }
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) device.dmaUnmapPage(addr);
    }
  }
}
