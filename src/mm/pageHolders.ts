/** Who should hold and map each page, over all address spaces and caches of a kernel: what the counts in the metadata are checked against. */

import { PMD_PAGES, type Vpn } from '../base/units.js';
import { FrameCounts } from '../memory/frameCounts.js';
import { CpuEntries } from './cpuEntries.js';
import type { Kernel } from './kernel.js';
import { type Pte, PteKind, pteHoldsFolio, pteIsHuge, pteIsMapping, pteKind, ptePfn } from './table/pte.js';

export interface PageHolders {
  readonly entries: CpuEntries;
  /** References of each folio, by its head, while nothing runs: entries, page cache, swap cache, pins, and the kernel for its zero pages. */
  readonly references: FrameCounts;
  /** Entries that map each folio, a huge leaf being one; without the zero pages. */
  readonly mappings: FrameCounts;
}

/** Atomic. Address spaces whose page table is gone hold nothing. */
export function countPageHolders(kernel: Kernel): PageHolders {
  const { folios } = kernel;
  const { totalPages } = folios.layout;
  const entries = new CpuEntries(kernel.mms);
  const references = new FrameCounts(totalPages);
  const mappings = new FrameCounts(totalPages);
  entries.forEach((_, page, pte) => {
    if (!countsAsHolder(kernel, page, pte)) return;
    const folio = folios.headOf(ptePfn(pte));
    references.add(folio);
    if (pteIsMapping(pte)) mappings.add(folio);
  });
  for (const file of kernel.pageCache.files) for (const pfn of file.pages.values()) references.add(pfn);
  for (const folio of kernel.swapCache.cached.keys()) references.add(folio);
  for (const [folio, count] of kernel.pins.references()) references.add(folio, count);
  references.add(kernel.zeroPage);
  if (kernel.hugeZeroPage !== 0) references.add(kernel.hugeZeroPage);
  return { entries, references, mappings };
}

/** Of the words of a huge leaf the first counts for all. */
function countsAsHolder(kernel: Kernel, page: Vpn, pte: Pte): boolean {
  if (!pteHoldsFolio(pte) || (pteIsHuge(pte) && page % PMD_PAGES !== 0)) return false;
  return pteKind(pte) !== PteKind.Present || !kernel.isZeroPage(ptePfn(pte));
}
