/** The huge pages that a mapping or a file may count on, by where they will be. */

import { PMD_PAGES } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { HugetlbPool } from './hugetlbPool.js';

/**
 * Of a private mapping its first process has it, and the areas that it is cut into share it; of shared mappings the file has it. Indexes are
 * offsets in the file in small pages, multiples of 512. @kernel resv_map
 */
export class HugetlbReservation {
  /** Promised and not taken yet. */
  private readonly open = new Set<number>();
  /** Parts of the mapping that are gone: what is freed there later is nobody's. */
  private readonly closed = new Set<number>();

  constructor(private readonly pool: HugetlbPool) {}

  /** Promises that were not redeemed. */
  get count(): number {
    return this.open.size;
  }

  /** Promises the huge pages of `[from, to)` for which `isThere` is false; all or none. @kernel hugetlb_reserve_pages */
  promise(from: number, to: number, isThere: (index: number) => boolean): boolean {
    const wanted: number[] = [];
    for (let index = from; index < to; index += PMD_PAGES)
      if (!this.open.has(index) && !isThere(index)) wanted.push(index);
    if (!this.pool.reserve(wanted.length)) return false;
    for (const index of wanted) this.open.add(index);
    return true;
  }

  /** A page for the place is promised, and was not taken yet. */
  isOpen(index: number): boolean {
    return this.open.has(index);
  }

  /** A page for the place, the promised one if there is a promise; NO_PFN without. @kernel alloc_hugetlb_folio */
  alloc(index: number): Pfn {
    const isPromised = this.open.delete(index);
    return this.pool.alloc(isPromised);
  }

  /** The page at this place goes, but its owner keeps the right to another one. @kernel vma_add_reservation */
  restoreOnFree(head: Pfn, index: number): void {
    this.pool.onFree(head, () => {
      if (this.closed.has(index) || this.open.has(index)) return;
      if (this.pool.reserve(1)) this.open.add(index);
    });
  }

  /** That part of the mapping is gone, and its promises with it. @kernel hugetlb_vm_op_close, hugetlb_unreserve_pages */
  giveBack(from: number, to: number): void {
    let count = 0;
    for (let index = from; index < to; index += PMD_PAGES) {
      this.closed.add(index);
      if (this.open.delete(index)) count++;
    }
    this.pool.unreserve(count);
  }
}
