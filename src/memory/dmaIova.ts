/** One reservation of I/O addresses that several mappings fill, piece by piece. */

/** Empty until a reservation is made and again after it is freed. Belongs to one device at a time. @kernel dma_iova_state, drm_pagemap_iova_state */
export class DmaIovaState {
  /** First I/O page of the reservation. */
  addr = 0;
  /** I/O pages reserved; 0 for none. @kernel dma_iova_size */
  npages = 0;

  /** There is a reservation. @kernel dma_use_iova */
  get isUsed(): boolean {
    return this.npages > 0;
  }

  clear(): void {
    this.addr = 0;
    this.npages = 0;
  }
}
