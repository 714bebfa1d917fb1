/** Arrays of migrate-pfns in which an entry may stand for a whole large folio: what each covers, and the same page by page. */

import { PMD_PAGES } from '../../base/units.js';
import { MigratePfnFlag, migratePfnAt, migratePfnToPfn, NO_PFN, type Pfn } from '../../memory/pfn.js';

/** Pages that an entry stands for; those after the first have empty entries. @kernel NR_PAGES */
export function pagesOfEntry(entries: Uint32Array, i: number): number {
  return (entries[i] & MigratePfnFlag.COMPOUND) !== 0 ? PMD_PAGES : 1;
}

/** The page of an entry, the head of a large folio, or NO_PFN. */
export function pageOfEntry(entries: Uint32Array, i: number): Pfn {
  return migratePfnToPfn(migratePfnAt(entries, i));
}

/** Pages that are to migrate, of what `src` names. @kernel drm_pagemap_cpages */
export function countCollected(src: Uint32Array, npages: number): number {
  return countMigrating(src, src, npages);
}

/** Pages that have migrated. What a large destination filled with zeros was left as no more than a flag in `src`. */
export function countMigrated(src: Uint32Array, dst: Uint32Array, npages: number): number {
  return countMigrating(src, dst, npages);
}

/** Pages that the entries name. */
export function countPages(entries: Uint32Array, npages: number): number {
  let count = 0;
  for (let i = 0; i < npages; i++) if (pageOfEntry(entries, i) !== NO_PFN) count += pagesOfEntry(entries, i);
  return count;
}

function countMigrating(src: Uint32Array, sizes: Uint32Array, npages: number): number {
  let count = 0;
  for (let i = 0; i < npages; ) {
    const covered = pagesOfEntry(sizes, i);
    if ((src[i] & MigratePfnFlag.MIGRATE) !== 0) count += covered;
    i += covered;
  }
  return count;
}

/** Whether any entry of `[first, end)` names a page. */
export function hasPages(entries: Uint32Array, first: number, end: number): boolean {
  for (let i = first; i < end; i += pagesOfEntry(entries, i))
    if (pageOfEntry(entries, i) !== NO_PFN) return true;
  return false;
}

/** Writes the frame of each entry of `[first, end)`, all of small pages, to `frames`, from its start on; 0 where there is none. How many there are. */
export function expandFrames(entries: Uint32Array, first: number, end: number, frames: Uint32Array): number {
  let count = 0;
  for (let i = first; i < end; i++) {
    const frame: number = pageOfEntry(entries, i);
    frames[i - first] = frame;
    if (frame !== 0) count++;
  }
  return count;
}
