/** Pages that were unmapped but may still be in a CPU TLB: their references go only after the shootdown. */

import { assert } from '../../base/assert.js';
import { PMD_PAGES } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { SwapCache } from '../swap/swapCache.js';

/** Room for several page tables between two shootdowns. @kernel MAX_GATHER_BATCH_COUNT */
const CAPACITY = 8 * PMD_PAGES;

/** @kernel mmu_gather */
export class MmuGather {
  /** Grows up to the capacity: most have a few pages. */
  private readonly pages: Pfn[] = [];
  private count = 0;
  /** A present entry was cleared, whether or not it held a reference. */
  needsFlush = false;

  /** Whether the pages of one more page table might not fit. */
  get isFull(): boolean {
    return this.count > CAPACITY - PMD_PAGES;
  }

  get isEmpty(): boolean {
    return this.count === 0 && !this.needsFlush;
  }

  /** Takes over the reference of a cleared entry. @kernel __tlb_remove_page */
  add(page: Pfn): void {
    assert(this.count < CAPACITY, 'mmu_gather is full');
    this.pages[this.count++] = page;
    this.needsFlush = true;
  }

  /** Drops the references; every CPU TLB has been flushed since the last entry was cleared. @kernel tlb_batch_pages_flush */
  putAll(swapCache: SwapCache): void {
    for (let i = 0; i < this.count; i++) swapCache.put(this.pages[i]);
    this.count = 0;
    this.needsFlush = false;
  }
}
