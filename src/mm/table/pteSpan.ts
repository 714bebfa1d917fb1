/** How much of a range one step may handle: loops over entries drop the page-table lock in between. */

import { PMD_PAGES } from '../../base/units.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { PTE_NONE, pteIsHuge } from './pte.js';

/**
 * One past the last page that a step starting at `start`, whose leaf table exists, handles: within that table, within `limit`, and at most
 * `kernel.pagesPerStep` entries that are not empty. Empty ones cost no step. Of a
 * PMD leaf it is all that `limit` allows.
 */
export function pteSpanEnd(kernel: Kernel, mm: Mm, start: number, limit: number): number {
  const end = Math.min(limit, start - (start % PMD_PAGES) + PMD_PAGES);
  if (kernel.pagesPerStep >= PMD_PAGES) return end;
  const slot = mm.pageTable.slot(start);
  if (pteIsHuge(mm.pageTable.read(slot))) return end;
  let left = kernel.pagesPerStep;
  // Counted from 0: page numbers are too large for what the engine counts with fastest.
  const npages = end - start;
  let looked = 0;
  for (; looked < npages && left > 0; looked++) if (mm.pageTable.read(slot + looked) !== PTE_NONE) left--;
  return start + looked;
}
