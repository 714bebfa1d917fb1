/** MADV_FREE: pages that their owner gives up, but that stay until memory is short; a write takes them back. */

import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { FolioParts } from '../huge/folioParts.js';
import { clearLeaf, coversLeaf, isLeafAt, leafStart, writeLeaf } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import {
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteKind,
  ptePfn,
  pteWithout,
} from '../table/pte.js';
import { pteSpanEnd } from '../table/pteSpan.js';

export const MadviseFreeStep = {
  marked: defineStep('madvise.freed', 'vpn', 'npages', 'id'),
} as const;

const USED = PteBit.Young | PteBit.Dirty;

export class MadviseFree {
  constructor(
    private readonly kernel: Kernel,
    private readonly parts: FolioParts,
  ) {}

  /**
   * Marks what one anonymous area maps in the range; what is swapped out goes at once, and device pages are left alone. A large folio of which
   * the range has a part is split first, and stays as it is where that cannot be. mmap_lock is held for read, and the caller brackets it with
   * a CLEAR invalidation. @kernel madvise_free_pte_range
   */
  *mark(mm: Mm, start: Vpn, end: Vpn): Steps<void> {
    mm.mmapLock.assertHeld();
    let page = mm.pageTable.nextPopulated(start, end);
    while (page < end) {
      const from = page;
      page = isLeafAt(mm.pageTable, from)
        ? yield* this.markLeaf(mm, from, end)
        : yield* this.markEntries(mm, from, end);
      if (this.kernel.sched.reach(MadviseFreeStep.marked, from, Math.min(page, end) - from, mm.id))
        yield STEP;
      page = mm.pageTable.nextPopulated(page, end);
    }
  }

  /** Under the page-table lock: the whole leaf, or none of it after a split, so that the caller looks again. @kernel madvise_free_huge_pmd */
  private *markLeaf(mm: Mm, page: number, end: number): Steps<number> {
    const first = leafStart(page);
    const slot = mm.pageTable.slot(first);
    const leaf = pteFromWord(mm.pageTable.read(slot));
    if (!this.isOwnRam(leaf)) return first + PMD_PAGES;
    if (page !== first || !coversLeaf(first, end)) {
      return (yield* this.parts.split(ptePfn(leaf))) ? page : first + PMD_PAGES;
    }
    if (this.giveUpLeaf(ptePfn(leaf))) {
      const last = clearLeaf(mm.pageTable, slot);
      this.kernel.flushCpuTlbs();
      writeLeaf(mm.pageTable, slot, pteWithout(last, USED));
    }
    return first + PMD_PAGES;
  }

  /** Returns where to go on: the end of the span, or a large folio that has been split, or behind one that has not. */
  private *markEntries(mm: Mm, start: number, end: number): Steps<number> {
    const spanEnd = pteSpanEnd(this.kernel, mm, start, end);
    const reached = this.markSmall(mm, start, spanEnd);
    if (reached === spanEnd) return spanEnd;
    const pfn = ptePfn(pteFromWord(mm.pageTable.get(reached)));
    const { folios } = this.kernel;
    const tableEnd = reached - (reached % PMD_PAGES) + PMD_PAGES;
    const mapped = this.parts.mappedRun(mm, reached, Math.min(end, tableEnd));
    // Wholly mapped here, by entries of its pages: the kernel marks it as one. Whoever else has a leaf of it keeps it as it is.
    if (folios.headOf(pfn) === pfn && mapped >= folios.npages(pfn)) {
      if (this.giveUp(pfn)) this.forgetUse(mm, reached, mapped);
      return reached + mapped;
    }
    return (yield* this.parts.split(pfn)) ? reached : reached + mapped;
  }

  /** Emptied first, so that no store can be between the last look at the dirty bit and its clearing. */
  private forgetUse(mm: Mm, page: number, npages: number): void {
    const slot = mm.pageTable.slot(page);
    for (let at = slot; at < slot + npages; at++) {
      const last = pteFromWord(mm.pageTable.exchange(at, PTE_NONE));
      this.kernel.flushCpuTlbs();
      mm.pageTable.write(at, pteWithout(last, USED));
    }
  }

  /** Under the page-table lock, up to a page of a large folio. Returns that page, or `end`. */
  private markSmall(mm: Mm, start: number, end: number): number {
    const slot = mm.pageTable.slot(start);
    for (let at = slot; at < slot + end - start; at++) {
      const pte = pteFromWord(mm.pageTable.read(at));
      if (this.isOwnRam(pte) && this.kernel.folios.isLarge(ptePfn(pte))) return start + at - slot;
      if (pteKind(pte) === PteKind.Swap) {
        mm.pageTable.write(at, PTE_NONE);
        this.kernel.swapCache.releaseEntry(pte);
      } else if (this.isOwnRam(pte) && this.giveUp(ptePfn(pte))) {
        this.forgetUse(mm, start + at - slot, 1);
      }
    }
    return end;
  }

  private isOwnRam(pte: Pte): boolean {
    if (pteKind(pte) !== PteKind.Present || this.kernel.isZeroPage(ptePfn(pte))) return false;
    const isRam = this.kernel.memory.layout.zoneOf(ptePfn(pte)).kind === ZoneKind.System;
    return isRam && this.kernel.folios.testFlag(ptePfn(pte), FolioFlag.Anon);
  }

  /** A huge page that others map or have locked stays as it is. @kernel madvise_free_huge_pmd */
  private giveUpLeaf(head: Pfn): boolean {
    const { folios } = this.kernel;
    if (folios.isLocked(head) || folios.mapcount(head) !== 1) return false;
    folios.clearFlag(head, FolioFlag.Dirty);
    folios.setFlag(head, FolioFlag.LazyFree);
    return true;
  }

  /**
   * Only of one that is dirty itself or in the swap cache it matters whether others map it or have it locked: what another process has stored
   * is dirty in that process's entry. All pages of a large one are mapped here. @kernel folio_mark_lazyfree
   */
  private giveUp(head: Pfn): boolean {
    const { folios } = this.kernel;
    const isKept = folios.testFlag(head, FolioFlag.Swapcache) || folios.testFlag(head, FolioFlag.Dirty);
    if (isKept && !this.makeClean(head)) return false;
    folios.setFlag(head, FolioFlag.LazyFree);
    return true;
  }

  private makeClean(head: Pfn): boolean {
    const { folios, swapCache } = this.kernel;
    if (folios.isLocked(head) || folios.mapcount(head) !== folios.npages(head)) return false;
    if (folios.testFlag(head, FolioFlag.Swapcache) && !swapCache.freeSwap(head)) return false;
    folios.clearFlag(head, FolioFlag.Dirty);
    return true;
  }
}
