/** A PMD leaf as its 512 words: read, written, changed and split as one entry, always under the page-table lock. */

import { assert } from '../../base/assert.js';
import { alignDown, formatVpn, PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { RadixTable } from '../../memory/radixTable.js';

import { defineStep, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import { type NotifierRange, NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import {
  hardwareMayMark,
  makePte,
  PTE_NONE,
  PTE_PAGE_STEP,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteKind,
  ptePfn,
  ptePlus,
  pteWith,
  pteWithout,
} from '../table/pte.js';
import { replacePte } from '../table/pteUpdate.js';

export const HugeStep = {
  /** A leaf is now one entry per page. */
  split: defineStep('huge.split', 'vpn', 'pfn', 'id'),
} as const;

/** The hardware marks the word that it walks, so these differ among the words of a leaf; the leaf has what any of them has. */
const HARDWARE_BITS = PteBit.Young | PteBit.Dirty;

/** The first page of the 512 that one PMD covers. */
export function leafStart(page: number): Vpn {
  return alignDown(page, PMD_PAGES) as Vpn;
}

/** Whether `[start, end)` covers every page of the PMD that `start` lies in. */
export function coversLeaf(start: number, end: number): boolean {
  return start % PMD_PAGES === 0 && end - start >= PMD_PAGES;
}

/** Whether a PMD leaf maps the page, be it present, in migration or on a device. @kernel pmd_trans_huge, is_swap_pmd */
export function isLeafAt(table: RadixTable, page: number): boolean {
  return pteIsHuge(table.get(page));
}

/** The leaf whose first word is at `slot`. */
export function readLeaf(table: RadixTable, slot: number): Pte {
  const marked = table.readUnion(slot + 1, PMD_PAGES - 1);
  const first = pteFromWord(table.read(slot));
  return pteWith(first, marked & HARDWARE_BITS);
}

/** Writes a leaf where nothing that the hardware could walk was. `leaf` names the first page. @kernel set_pmd_at */
export function writeLeaf(table: RadixTable, slot: number, leaf: Pte): void {
  assert(slot % PMD_PAGES === 0 && pteIsHuge(leaf), 'a leaf is written as a whole');
  table.writeRun(slot, PMD_PAGES, leaf, PTE_PAGE_STEP);
}

/** Empties the leaf; returns it as it was last. @kernel pmdp_huge_get_and_clear */
export function clearLeaf(table: RadixTable, slot: number): Pte {
  assert(slot % PMD_PAGES === 0, 'a leaf is cleared as a whole');
  let marked = 0;
  for (let i = 1; i < PMD_PAGES; i++) marked |= table.exchange(slot + i, PTE_NONE);
  const first = pteFromWord(table.exchange(slot, PTE_NONE));
  assert(pteIsHuge(first), 'a leaf is cleared that is none');
  return pteWith(first, marked & HARDWARE_BITS);
}

/**
 * Stores a leaf over one that CPU threads may be walking; what the hardware marked until that moment is kept unless `next` is not present.
 * Returns the leaf as it was last. @kernel pmdp_invalidate, set_pmd_at
 */
export function replaceLeaf(table: RadixTable, slot: number, next: Pte): Pte {
  assert(slot % PMD_PAGES === 0 && pteIsHuge(next), 'a leaf is replaced as a whole');
  if (!isMarkable(table, slot)) {
    const last = readLeaf(table, slot);
    table.writeRun(slot, PMD_PAGES, pteWith(next, last & HARDWARE_BITS), PTE_PAGE_STEP);
    return last;
  }
  let marked = 0;
  for (let i = 1; i < PMD_PAGES; i++) marked |= replacePte(table, slot + i, ptePlus(next, i));
  const first = replacePte(table, slot, next);
  return pteWith(first, marked & HARDWARE_BITS);
}

/** Whether the hardware may still change a word of the leaf, which then takes an atomic exchange for each. */
function isMarkable(table: RadixTable, slot: number): boolean {
  const marks = table.readIntersection(slot, PMD_PAGES) & HARDWARE_BITS;
  return hardwareMayMark(pteWith(pteWithout(pteFromWord(table.read(slot)), HARDWARE_BITS), marks));
}

/** Sets and clears flags of the leaf, for all its pages. */
export function changeLeaf(table: RadixTable, slot: number, set: number, clear: number): Pte {
  const last = readLeaf(table, slot);
  return replaceLeaf(table, slot, pteWith(pteWithout(last, clear), set));
}

/**
 * Makes the leaf that covers `page` one entry per page, which allow the same and lead to the same: nobody who holds a translation need know.
 * Its reference and mapping become one per page. @kernel __split_huge_pmd_locked
 */
export function splitLeaf(kernel: Kernel, mm: Mm, page: number): void {
  const start = leafStart(page);
  const slot = mm.pageTable.slot(start);
  const leaf = readLeaf(mm.pageTable, slot);
  assert(pteIsHuge(leaf), () => `no leaf at ${formatVpn(page)} to split`);
  const pfn = ptePfn(leaf);
  kernel.sched.at(HugeStep.split, start, pfn, mm.id);
  if (pteKind(leaf) === PteKind.Present && kernel.isHugeZeroPage(pfn)) {
    splitZeroLeaf(kernel, mm, slot, leaf);
    return;
  }
  assert(!kernel.folios.testFlag(pfn, FolioFlag.Hugetlb), 'a hugetlb page is never split');
  if (pteKind(leaf) !== PteKind.Migration) {
    kernel.folios.entireRmapToPages(pfn);
    if (pteHas(leaf, PteBit.Dirty)) kernel.folios.setFlag(pfn, FolioFlag.Dirty);
  }
  const first = pteWithout(leaf, PteBit.Huge);
  for (let i = 0; i < PMD_PAGES; i++) replacePte(mm.pageTable, slot + i, ptePlus(first, i));
}

/** Reads of the huge zero page become reads of the small one, which is another page: no translation may outlive it. @kernel __split_huge_zero_page_pmd */
function splitZeroLeaf(kernel: Kernel, mm: Mm, slot: number, leaf: Pte): void {
  const kept = leaf & (PteBit.Young | PteBit.ProtNone | PteBit.SoftDirty | PteBit.UffdWp);
  const entry = makePte(PteKind.Present, kernel.zeroPage, kept);
  for (let i = 0; i < PMD_PAGES; i++) mm.pageTable.write(slot + i, entry);
  kernel.flushCpuTlbs();
}

/** The invalidation that a split raises when it is an operation of its own. */
export function splitRange(page: number): NotifierRange {
  const start = leafStart(page);
  return notifierRange(NotifyEvent.Clear, start, (start + PMD_PAGES) as Vpn);
}

/** Splits the leaf that covers `page`, if there is one, inside a CLEAR invalidation of all its pages. @kernel __split_huge_pmd */
export function* splitHugePmd(kernel: Kernel, mm: Mm, page: number): Steps<void> {
  if (isLeafAt(mm.pageTable, page)) yield* splitInside(kernel, mm, page);
}

/** The leaf may have gone until mirrors have been told. */
function* splitInside(kernel: Kernel, mm: Mm, page: number): Steps<void> {
  const range = splitRange(page);
  yield* mm.notifiers.invalidateStart(range);
  if (isLeafAt(mm.pageTable, page)) splitLeaf(kernel, mm, page);
  yield* mm.notifiers.invalidateEnd(range);
}

/**
 * Splits the leaves that cutting `[start, end)` out of its areas would go through. Whoever is about to cut calls this first, with mmap_lock held
 * for write. The upper cut is made in what the lower one leaves.
 * @kernel vma_adjust_trans_huge
 */
export function* splitHugePmdsAcross(kernel: Kernel, mm: Mm, start: number, end: number): Steps<void> {
  yield* splitHugePmdAt(kernel, mm, start, 0);
  yield* splitHugePmdAt(kernel, mm, end, start);
}

/**
 * A cut at `page` of an area that begins at `floor` at the lowest. Mirrors hear of all pages of the PMD, whether a leaf maps them or not: what
 * counts is that the area has room for one, and that something was mapped near it.
 * @kernel split_huge_pmd_if_needed
 */
function* splitHugePmdAt(kernel: Kernel, mm: Mm, page: number, floor: number): Steps<void> {
  const start = leafStart(page);
  const vma = start === page ? null : mm.vmas.find(page as Vpn);
  if (vma === null || start < floor || start < vma.start || start + PMD_PAGES > vma.end) return;
  if (mm.pageTable.hasUpperTable(page)) yield* splitInside(kernel, mm, page);
}
