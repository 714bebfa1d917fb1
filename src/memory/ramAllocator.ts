/** The page allocator of system RAM: the buddy allocator of zone 0, with a hook that makes allocations fail. */

import { Errno } from '../base/errno.js';
import { BuddyAllocator } from './buddyAllocator.js';
import { AllocSite, type FailureInjector, type Injectable } from './failureInjector.js';
import type { Pfn } from './pfn.js';
import type { PhysicalLayout } from './physicalLayout.js';

/** Owned by the coordinator. Hands out frames only: their metadata and contents are the caller's to prepare. */
export class RamAllocator implements Injectable {
  injector: FailureInjector | null = null;
  private readonly buddy: BuddyAllocator;
  private failed = 0;

  constructor(layout: PhysicalLayout) {
    this.buddy = new BuddyAllocator(layout.ram.firstPfn, layout.ram.pages);
  }

  get totalPages(): number {
    return this.buddy.totalPages;
  }

  get freePages(): number {
    return this.buddy.freePages;
  }

  get usedPages(): number {
    return this.buddy.usedPages;
  }

  /** Allocations that returned -ENOMEM, whether injected or genuine. */
  get failures(): number {
    return this.failed;
  }

  /** @kernel alloc_page */
  allocPage(): Pfn | typeof Errno.ENOMEM {
    return this.alloc(0);
  }

  /** `2^order` pages, aligned to their size. @kernel folio_alloc */
  alloc(order: number): Pfn | typeof Errno.ENOMEM {
    const site = order === 0 ? AllocSite.RamPage : AllocSite.HugePage;
    const page = this.injector?.shouldFail(site) ? Errno.ENOMEM : this.buddy.alloc(order);
    if (page === Errno.ENOMEM) this.failed++;
    return page;
  }

  /** @kernel __free_pages */
  free(page: Pfn, order: number): void {
    this.buddy.free(page, order);
  }

  isFree(page: Pfn): boolean {
    return this.buddy.isFree(page);
  }
}
