/** Finds the pages that are more than free memory, for checkers: at a moment when nobody changes anything. */

import { FolioFields } from './folioFields.js';
import { FolioFlag, type FolioTable } from './folios.js';
import type { Pfn } from './pfn.js';

/** Flags that a page loses, with its references, when it becomes free. */
const USED_FLAGS = FolioFlag.Locked | FolioFlag.Lru | FolioFlag.Large | FolioFlag.Tail;

/**
 * Each page, in order, of which the metadata says that somebody refers to it, maps it, has it locked or counts on it; then those of `claimed`
 * of which it does not. Whatever is wrong with a page is wrong with one of these, or with what an allocator believes to be free.
 */
export function usedPages(folios: FolioTable, claimed: Iterable<Pfn>): Pfn[] {
  const { refs, maps, flags, zoneDatas, lockOwners } = FolioFields.of(
    folios.buffer,
    folios.layout.totalPages,
  );
  const isUsed = (page: number): boolean =>
    (refs[page] | maps[page] | zoneDatas[page] | lockOwners[page] | (flags[page] & USED_FLAGS)) !== 0;
  const used: Pfn[] = [];
  for (const { firstPfn, pages } of folios.layout.zones) {
    for (let page: number = firstPfn; page < firstPfn + pages; page++)
      if (isUsed(page)) used.push(page as Pfn);
  }
  for (const page of claimed) if (page < refs.length && !isUsed(page)) used.push(page);
  return used;
}
