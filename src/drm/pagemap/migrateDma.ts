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
    const wanted = countFrames(frames, npages);
    if (wanted === 0) return Errno.OK;
    device.dmaIovaTryAlloc(iova.state, npages);
    if (iova.state.isUsed) {
      iova.offset = device.dmaIovaLinkPages(iova.state, frames, npages, 0, dir, addrs);
      if (iova.offset < wanted) return Errno.ENOMEM;
      return device.dmaIovaSync(iova.state, 0, iova.offset);
    }
    for (let i = 0; i < npages; i++) {
      const frame = frames[i] as Pfn;
      if (frame === NO_PFN) continue;
      const errno = this.mapPage(device, frame, addrs, i, dir);
      if (errno !== Errno.OK) return errno;
    }
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

function countFrames(frames: Uint32Array, npages: number): number {
  let count = 0;
  for (let i = 0; i < npages; i++) if (frames[i] !== NO_PFN) count++;
  return count;
}
