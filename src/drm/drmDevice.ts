/** A device as the generic layers see it: something that DMA addresses are made for, and that can go away. */

import type { Errno } from '../base/errno.js';
import type { DmaAddr, DmaDir } from '../memory/dmaAddr.js';
import type { DmaIovaState } from '../memory/dmaIova.js';
import type { DmaLedger } from '../memory/dmaLedger.js';
import type { Pfn } from '../memory/pfn.js';
import type { DrmDeviceLife } from './drmDeviceLife.js';

/** None of its methods sleeps. @kernel drm_device */
export interface DrmDevice {
  /** Index of the device in the run. */
  readonly index: number;
  readonly life: DrmDeviceLife;
  /** Account of what is mapped for it, by whoever makes an address: this device for RAM, `device_map` for device memory. */
  readonly ledger: DmaLedger;

  /** Gives the device an address for `1 << order` consecutive pages of RAM. Error: -ENOMEM, no I/O address left. @kernel dma_map_page */
  dmaMapPage(pfn: Pfn, dir: DmaDir, order?: number): DmaAddr | Errno;

  /** Afterwards any access of the device through the address is a fault. @kernel dma_unmap_page */
  dmaUnmapPage(addr: DmaAddr): void;

  /** Gives the device an address for `1 << order` consecutive pages of another device's memory. @kernel dma_map_resource */
  dmaMapResource(frame: Pfn, dir: DmaDir, order?: number): DmaAddr;

  /** Afterwards any access of the device through the address is a fault, unless another mapping leads there. @kernel dma_unmap_resource */
  dmaUnmapResource(addr: DmaAddr): void;

  /** Reserves I/O addresses for several links; false when they must be mapped one by one instead. @kernel dma_iova_try_alloc */
  dmaIovaTryAlloc(state: DmaIovaState, npages: number): boolean;

  /**
   * Maps `1 << order` pages at page `offset` of the reservation; the device may use them after the sync. Error: -ENOMEM.
   * @kernel dma_iova_link
   */
  dmaIovaLink(state: DmaIovaState, pfn: Pfn, offset: number, order: number, dir: DmaDir): DmaAddr | Errno;

  /**
   * One link of a single page after the other from page `offset` of the reservation on, for each entry of `frames` that is not 0; its address goes
   * to the same place in `addrs`. How many pages are linked: fewer than there are when one failed.
   */
  dmaIovaLinkPages(
    state: DmaIovaState,
    frames: Uint32Array,
    npages: number,
    offset: number,
    dir: DmaDir,
    addrs: Uint32Array,
  ): number;

  /** Ends a series of links: one flush for all of them. @kernel dma_iova_sync */
  dmaIovaSync(state: DmaIovaState, offset: number, npages: number): Errno;

  /** Unmaps what was linked in a part of the reservation, all of it in one direction. @kernel dma_iova_unlink */
  dmaIovaUnlink(state: DmaIovaState, offset: number, npages: number, dir: DmaDir): void;

  /** Gives the whole reservation back; the state is empty then. @kernel dma_iova_free */
  dmaIovaFree(state: DmaIovaState): void;
}
