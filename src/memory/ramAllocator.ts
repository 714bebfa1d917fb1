/** The page allocator of system RAM: blocks of zone 0 behind a list of single pages, with a hook that makes allocations fail. */

import { Errno } from '../base/errno.js';
import { BuddyAllocator } from './buddyAllocator.js';
import { AllocSite, type FailureInjector, type Injectable } from './failureInjector.js';
import { FreePageList } from './freePageList.js';
import { NO_PFN, type Pfn } from './pfn.js';
import type { PhysicalLayout } from './physicalLayout.js';

/** Owned by the coordinator. Hands out frames only: their metadata and contents are the caller's to prepare. */
export class RamAllocator implements Injectable {
  injector: FailureInjector | null = null;
  private readonly buddy: BuddyAllocator;
  private readonly singles: FreePageList;
  private failed = 0;
  private touchedEnd_ = 0;

  constructor(layout: PhysicalLayout) {
    this.buddy = new BuddyAllocator(layout.ram.firstPfn, layout.ram.pages);
    this.singles = new FreePageList(this.buddy, layout.ram.firstPfn);
  }

  get totalPages(): number {
    return this.buddy.totalPages;
  }

  get freePages(): number {
    return this.buddy.freePages + this.singles.count;
  }

  /** One past the last frame that was ever handed out: pages on the list have not been touched by that. */
  get touchedEnd(): number {
    return this.touchedEnd_;
  }

  get usedPages(): number {
    return this.buddy.usedPages - this.singles.count;
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
    const page = this.injector?.shouldFail(site) ? Errno.ENOMEM : this.take(order);
    if (page === Errno.ENOMEM) this.failed++;
    return page;
  }

  /** For callers that could not go back: never made to fail, and -ENOMEM only where there is no page. @kernel __GFP_NOFAIL */
  allocPageNoFail(): Pfn | typeof Errno.ENOMEM {
    return this.take(0);
  }

  /** @kernel __free_pages */
  free(page: Pfn, order: number): void {
    if (order === 0) this.singles.put(page);
    else this.buddy.free(page, order);
  }

  isFree(page: Pfn): boolean {
    return this.buddy.isFree(page) || this.singles.has(page);
  }

  /** Free pages one by one instead of by count: for checkers. */
  countFree(): number {
    return this.buddy.countFree() + this.singles.countListed();
  }

  private take(order: number): Pfn | typeof Errno.ENOMEM {
    const page = this.takeFree(order);
    if (page !== Errno.ENOMEM) this.touchedEnd_ = Math.max(this.touchedEnd_, page + (1 << order));
    return page;
  }

  private takeFree(order: number): Pfn | typeof Errno.ENOMEM {
    if (order === 0) {
      const page = this.singles.take();
      return page === NO_PFN ? Errno.ENOMEM : page;
    }
    const page = this.buddy.alloc(order);
    if (page !== Errno.ENOMEM) return page;
    // Single pages that nobody uses may be what keeps a block from being whole. @kernel drain_all_pages
    this.singles.drain(this.singles.count);
    return this.buddy.alloc(order);
  }
}
