/** The huge pages that were set aside for hugetlb mappings: which are free, which are promised, and which are in use. */

import { assert } from '../../base/assert.js';
import { PMD_ORDER, PMD_PAGES } from '../../base/units.js';
import { FolioFlag, type FolioTable } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { RamAllocator } from '../../memory/ramAllocator.js';

/**
 * All methods are atomic. Its folios never go back to the allocator of small pages while they belong to the pool, are on no LRU, and are never
 * split. Free ones have no references. At any time the promised pages are among the free ones. @kernel hstate
 */
export class HugetlbPool {
  private readonly freeHeads: Pfn[] = [];
  /** Every page of the pool, in use or not, by its head. */
  private readonly heads = new Set<Pfn>();
  /** What happens when a page is freed beside its return to the pool. */
  private readonly freeHooks = new Map<Pfn, () => void>();
  private promised = 0;

  constructor(
    private readonly ram: RamAllocator,
    private readonly folios: FolioTable,
  ) {}

  /** Huge pages of the pool. @kernel nr_huge_pages */
  get total(): number {
    return this.heads.size;
  }

  /** Nobody's now, promised ones included. @kernel free_huge_pages */
  get free(): number {
    return this.freeHeads.length;
  }

  /** Of the free ones those that some mapping counts on. @kernel resv_huge_pages */
  get reserved(): number {
    return this.promised;
  }

  /** Huge pages that a mapping or a file has. */
  get used(): number {
    return this.heads.size - this.freeHeads.length;
  }

  /** All of them. */
  get pages(): Iterable<Pfn> {
    return this.heads;
  }

  /**
   * Makes the pool `count` huge pages large, as far as memory allows, and as pages in use and promised ones allow; returns how large it is
   * now. @kernel set_max_huge_pages
   */
  resize(count: number): number {
    while (this.total < count) {
      const head = this.ram.alloc(PMD_ORDER);
      if (head < 0) break;
      this.heads.add(head as Pfn);
      this.freeHeads.push(head as Pfn);
    }
    while (this.total > count && this.free > this.promised) {
      const head = this.freeHeads.pop();
      assert(head !== undefined, 'the pool has lost a free page');
      this.heads.delete(head);
      this.ram.free(head, PMD_ORDER);
    }
    return this.total;
  }

  /** Whether the page is the head of one of its folios. */
  owns(head: Pfn): boolean {
    return this.heads.has(head);
  }

  /** Whether the page, head or not, is part of a huge page that nobody has. */
  isFree(page: Pfn): boolean {
    const head = (page - (page % PMD_PAGES)) as Pfn;
    return this.heads.has(head) && this.folios.refcount(head) === 0;
  }

  /** Promises `count` free pages; all or none. @kernel hugetlb_acct_memory */
  reserve(count: number): boolean {
    if (this.free - this.promised < count) return false;
    this.promised += count;
    return true;
  }

  /** Takes promises back that nobody counts on any more. */
  unreserve(count: number): void {
    assert(count <= this.promised, 'more huge pages are given up than were promised');
    this.promised -= count;
  }

  /** A folio with one reference and undefined content: a promised one, or one that is left beside those. NO_PFN without. @kernel dequeue_hugetlb_folio_vma */
  alloc(isPromised: boolean): Pfn {
    if (!isPromised && this.free === this.promised) return NO_PFN;
    const head = this.freeHeads.pop();
    assert(head !== undefined, 'a huge page was promised that is not there');
    if (isPromised) this.unreserve(1);
    this.folios.prepareNew(head, PMD_ORDER, 1);
    this.folios.setFlag(head, FolioFlag.Hugetlb);
    return head;
  }

  /** When the page is freed, `hook` runs. @kernel folio_set_hugetlb_restore_reserve */
  onFree(head: Pfn, hook: () => void): void {
    this.freeHooks.set(head, hook);
  }

  /** Its last reference is gone. @kernel free_huge_folio */
  takeBack(head: Pfn): void {
    assert(this.owns(head), 'a page comes back to a pool that it is not from');
    this.freeHeads.push(head);
    const hook = this.freeHooks.get(head);
    if (hook === undefined) return;
    this.freeHooks.delete(head);
    hook();
  }
}
