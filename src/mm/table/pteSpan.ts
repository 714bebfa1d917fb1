/** How much of a range one step may handle: loops over entries drop the page-table lock in between. */

import { PMD_PAGES } from '../../base/units.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { pteIsHuge } from './pte.js';

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
  const last = slot + end - start;
  let at = slot;
  for (let left = kernel.pagesPerStep; left > 0 && at < last; left--)
    at = Math.min(mm.pageTable.nextUsedSlot(at, last) + 1, last);
  return start + at - slot;
}
