/** Who should hold and map each page, over all address spaces and caches of a kernel: what the counts in the metadata are checked against. */

import { PMD_PAGES, type Vpn } from '../base/units.js';
import type { Pfn } from '../memory/pfn.js';
import type { Kernel } from './kernel.js';
import { forEachPte } from './mmCensus.js';
import type { Mm } from './process/mm.js';
import { type Pte, PteKind, pteHoldsFolio, pteIsHuge, pteIsMapping, pteKind, ptePfn } from './table/pte.js';

/** An entry of a CPU page table that is not empty. */
export interface CpuEntry {
  readonly mm: Mm;
  readonly page: Vpn;
  readonly pte: Pte;
}

export interface PageHolders {
  /** By address space, then by address; of a huge leaf each word. */
  readonly entries: readonly CpuEntry[];
  /** References of each folio, by its head, while nothing runs: entries, page cache, swap cache, pins, and the kernel for its zero pages. */
  readonly references: ReadonlyMap<Pfn, number>;
  /** Entries that map each folio, a huge leaf being one; without the zero pages. */
  readonly mappings: ReadonlyMap<Pfn, number>;
}

/** Atomic. Address spaces whose page table is gone hold nothing. */
export function countPageHolders(kernel: Kernel): PageHolders {
  const { folios } = kernel;
  const entries: CpuEntry[] = [];
  const references = new Map<Pfn, number>();
  const mappings = new Map<Pfn, number>();
  for (const mm of kernel.mms) {
    forEachPte(mm, (page, pte) => {
      entries.push({ mm, page, pte });
      if (!countsAsHolder(kernel, page, pte)) return;
      const folio = folios.headOf(ptePfn(pte));
      add(references, folio);
      if (pteIsMapping(pte)) add(mappings, folio);
    });
  }
  for (const file of kernel.pageCache.files) for (const pfn of file.pages.values()) add(references, pfn);
  for (const folio of kernel.swapCache.cached.keys()) add(references, folio);
  for (const [folio, count] of kernel.pins.references()) add(references, folio, count);
  add(references, kernel.zeroPage);
  if (kernel.hugeZeroPage !== 0) add(references, kernel.hugeZeroPage);
  return { entries, references, mappings };
}

/** Of the words of a huge leaf the first counts for all. */
function countsAsHolder(kernel: Kernel, page: Vpn, pte: Pte): boolean {
  if (!pteHoldsFolio(pte) || (pteIsHuge(pte) && page % PMD_PAGES !== 0)) return false;
  return pteKind(pte) !== PteKind.Present || !kernel.isZeroPage(ptePfn(pte));
}

function add(counts: Map<Pfn, number>, pfn: Pfn, n = 1): void {
  counts.set(pfn, (counts.get(pfn) ?? 0) + n);
}
