/** Walks over all that an address space maps, for checkers: at a moment when nobody changes it. */

import { PMD_PAGES, type Vpn } from '../base/units.js';
import type { Pfn } from '../memory/pfn.js';
import type { Kernel } from './kernel.js';
import type { Mm } from './process/mm.js';
import { type Pte, PteKind, pteFromWord, pteIsHuge, pteIsMapping, pteKind, ptePfn } from './table/pte.js';

/** Visits every entry that is not empty, in address order, also those outside all areas. Atomic; `visit` leaves the table as it is. */
export function forEachPte(mm: Mm, visit: (page: Vpn, pte: Pte) => void): void {
  mm.pageTable.forEach((page, word) => {
    visit(page as Vpn, pteFromWord(word));
  });
}

/** Whether the entry counts in its folio's mapcount: each of a small page, and of a PMD leaf the first word. */
export function isCounted(page: Vpn, pte: Pte): boolean {
  return !pteIsHuge(pte) || page % PMD_PAGES === 0;
}

/** What one address space holds, by kind of entry. */
export interface MmCensus {
  /** Entries that map a page of RAM, without the zero page. */
  readonly presentPages: number;
  readonly zeroPages: number;
  readonly devicePrivatePages: number;
  readonly migrationEntries: number;
  /** How many entries, leaves counting as one, map each folio, by its head: how many references and mappings it has from here. */
  readonly mappings: ReadonlyMap<Pfn, number>;
}

/** Counts the entries of one address space. Atomic. */
export function census(kernel: Kernel, mm: Mm): MmCensus {
  const kinds = { presentPages: 0, zeroPages: 0, devicePrivatePages: 0, migrationEntries: 0 };
  const mappings = new Map<Pfn, number>();
  forEachPte(mm, (page, pte) => {
    const pfn = ptePfn(pte);
    const isZeroPage = pteKind(pte) === PteKind.Present && kernel.isZeroPage(pfn);
    if (pteIsMapping(pte) && !isZeroPage && isCounted(page, pte)) {
      const folio = kernel.folios.headOf(pfn);
      mappings.set(folio, (mappings.get(folio) ?? 0) + 1);
    }
    if (isZeroPage) kinds.zeroPages++;
    else if (pteKind(pte) === PteKind.Present) kinds.presentPages++;
    else if (pteKind(pte) === PteKind.DevicePrivate) kinds.devicePrivatePages++;
    else if (pteKind(pte) === PteKind.Migration) kinds.migrationEntries++;
  });
  return { ...kinds, mappings };
}
