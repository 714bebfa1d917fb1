/** Moving page-table entries from one place in an address space to another: the middle of mremap. */

import { assert } from '../../base/assert.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { coversLeaf, isLeafAt, leafStart, splitHugePmd } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import { PTE_NONE, PteBit, PteKind, pteFromWord, pteKind, pteWith } from './pte.js';
import { pteSpanEnd } from './pteSpan.js';

export const MoveStep = {
  moved: defineStep('mremap.moved', 'vpn', 'vpn', 'npages', 'id'),
} as const;

export class MovePageTables {
  constructor(private readonly kernel: Kernel) {}

  /**
   * Moves every entry of `[from, from + npages)`, of whatever kind, to the same offset from `to`, which is empty. PMD leaves
   * move as they are where both places are aligned, and are split elsewhere. One UNMAP invalidation of
   * the old range, and of what it is aligned down by; the new range raises none. mmap_lock is held for write. Returns the pages done: fewer than `npages` when no memory was
   * left for page tables, and then the rest has not moved.
   * @kernel move_page_tables
   */
  *move(mm: Mm, from: Vpn, to: Vpn, npages: number): Steps<number> {
    mm.mmapLock.assertHeldForWrite();
    if (npages === 0) return 0;
    const before = pagesToAlign(mm, from, to, npages);
    const range = notifierRange(NotifyEvent.Unmap, (from - before) as Vpn, (from + npages) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const done = yield* this.moveEntries(mm, from - before, to - before, npages + before);
    yield* mm.notifiers.invalidateEnd(range);
    // No table for the first, which begins before what moves.
    return Math.max(0, done - before);
  }

  private *moveEntries(mm: Mm, from: number, to: number, npages: number): Steps<number> {
    const { sched } = this.kernel;
    const end = from + npages;
    let page = mm.pageTable.nextPopulated(from, end);
    while (page < end) {
      const target = page - from + to;
      if (isLeafAt(mm.pageTable, page) && !(coversLeaf(page, end) && target % PMD_PAGES === 0))
        yield* splitHugePmd(this.kernel, mm, page);
      if (mm.pageTable.ensure(target) < 0) return page - from;
      const extent = pteSpanEnd(this.kernel, mm, page, Math.min(end, page + pagesLeftInTable(target))) - page;
      const isWhole = (target - page) % PMD_PAGES === 0 && isWithin(leafStart(page), from, end);
      this.moveExtent(mm, page, target, extent, this.marksMoved(mm, page, isWhole) ? PteBit.SoftDirty : 0);
      if (sched.reach(MoveStep.moved, page, target, extent, mm.id)) yield STEP;
      page = mm.pageTable.nextPopulated(page + extent, end);
    }
    return npages;
  }

  /**
   * Who reads soft-dirty bits learns of what moved by its being dirty at the new place; of tables that move as a whole, however many entries they
   * have, and of hugetlb memory, he does not. @kernel move_soft_dirty_pte, move_normal_pmd, move_huge_pte
   */
  private marksMoved(mm: Mm, page: number, isWhole: boolean): boolean {
    if (isLeafAt(mm.pageTable, page)) return mm.vmas.find(page as Vpn)?.isHugetlb !== true;
    return !isWhole;
  }

  /**
   * Under both page-table locks. The CPU TLBs are flushed before they are released: afterwards the page may be unmapped through its new entry
   * by somebody who flushes only the new address.
   * @kernel move_ptes, move_soft_dirty_pte
   */
  private moveExtent(mm: Mm, page: number, target: number, npages: number, mark: number): void {
    const table = mm.pageTable;
    const oldSlot = table.slot(page);
    const newSlot = table.slot(target);
    let needsFlush = false;
    for (let i = 0; i < npages; i++) {
      if (table.read(oldSlot + i) === PTE_NONE) continue;
      const pte = pteFromWord(table.exchange(oldSlot + i, PTE_NONE));
      assert(table.read(newSlot + i) === PTE_NONE, 'mremap moves an entry over another one');
      table.write(newSlot + i, pteWith(pte, mark));
      if (pteKind(pte) === PteKind.Present) needsFlush = true;
    }
    if (needsFlush) this.kernel.flushCpuTlbs();
  }
}

/**
 * How far below the two places their PMDs begin, if the first table can move as a whole: both lie at the same offset in theirs, and nothing else
 * is mapped there. Otherwise 0. @kernel try_realign_addr
 */
function pagesToAlign(mm: Mm, from: Vpn, to: Vpn, npages: number): number {
  const offset = from % PMD_PAGES;
  if (npages < PMD_PAGES - offset || to % PMD_PAGES !== offset) return 0;
  return isFirstInTable(mm, from) && isFirstInTable(mm, to) ? offset : 0;
}

/** An area begins there, and none lies between it and the beginning of the PMD. @kernel can_align_down */
function isFirstInTable(mm: Mm, page: Vpn): boolean {
  return mm.vmas.find(page)?.start === page && mm.vmas.firstIn(leafStart(page), page) === null;
}

/** A whole table's pages lie in the half-open span. */
function isWithin(table: number, from: number, end: number): boolean {
  return table >= from && table + PMD_PAGES <= end;
}

/** Entries of a move share one leaf table on either side. @kernel get_extent */
function pagesLeftInTable(page: number): number {
  return PMD_PAGES - (page % PMD_PAGES);
}
