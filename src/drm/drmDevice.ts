/** A device as the generic layers see it: something that DMA addresses are made for, and that can go away. */

import type { Errno } from '../base/errno.js';
import type { DmaAddr, DmaDir } from '../memory/dmaAddr.js';
import type { Pfn } from '../memory/pfn.js';
import type { DrmDeviceLife } from './drmDeviceLife.js';

/** @kernel drm_device */
export interface DrmDevice {
  /** Index of the device in the run. */
  readonly index: number;
  readonly life: DrmDeviceLife;
  /** Gives the device an address for a page of RAM. Error: -ENOMEM, no I/O address left. Never sleeps. @kernel dma_map_page */
  dmaMapPage(pfn: Pfn, dir: DmaDir): DmaAddr | Errno;
  /** Afterwards any access of the device through the address is a fault. Never sleeps. @kernel dma_unmap_page */
  dmaUnmapPage(addr: DmaAddr): void;
}
