/** MADV_FREE: pages that their owner gives up, but that stay until memory is short; a write takes them back. */

import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { clearLeaf, coversLeaf, isLeafAt, leafStart, splitLeaf, writeLeaf } from '../huge/hugeLeaf.js';
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
  constructor(private readonly kernel: Kernel) {}

  /**
   * Marks what one anonymous area maps in the range; what is swapped out goes at once, and device pages are left alone. mmap_lock is held for
   * read, and the caller brackets it with a CLEAR invalidation. @kernel madvise_free_pte_range
   */
  *mark(mm: Mm, start: Vpn, end: Vpn): Steps<void> {
    mm.mmapLock.assertHeld();
    let page = mm.pageTable.nextPopulated(start, end);
    while (page < end) {
      const from = page;
      if (isLeafAt(mm.pageTable, from)) {
        page = this.markLeaf(mm, from, end);
      } else {
        page = pteSpanEnd(this.kernel, mm, from, end);
        if (this.markEntries(mm, from, page)) this.kernel.flushCpuTlbs();
      }
      if (this.kernel.sched.reach(MadviseFreeStep.marked, from, page - from, mm.id)) yield STEP;
      page = mm.pageTable.nextPopulated(page, end);
    }
  }

  /** Under the page-table lock: the whole leaf, or none of it after a split, so that the caller looks again. @kernel madvise_free_huge_pmd */
  private markLeaf(mm: Mm, page: number, end: number): number {
    const first = leafStart(page);
    if (page !== first || !coversLeaf(first, end)) {
      splitLeaf(this.kernel, mm, page);
      return page;
    }
    const slot = mm.pageTable.slot(first);
    const leaf = pteFromWord(mm.pageTable.read(slot));
    if (this.isOwnRam(leaf) && this.giveUp(ptePfn(leaf))) {
      const last = clearLeaf(mm.pageTable, slot);
      this.kernel.flushCpuTlbs();
      writeLeaf(mm.pageTable, slot, pteWithout(last, USED));
    }
    return first + PMD_PAGES;
  }

  /** Returns whether a CPU may still hold a translation that says that it need not set the dirty bit. */
  private markEntries(mm: Mm, start: number, end: number): boolean {
    const slot = mm.pageTable.slot(start);
    let changed = false;
    for (let at = slot; at < slot + end - start; at++) {
      const pte = pteFromWord(mm.pageTable.read(at));
      if (pteKind(pte) === PteKind.Swap) {
        mm.pageTable.write(at, PTE_NONE);
        this.kernel.swapCache.releaseEntry(pte);
      } else if (this.isOwnRam(pte) && this.giveUp(ptePfn(pte))) {
        // Emptied first, so that no store can be between the last look at the dirty bit and its clearing.
        const last = pteFromWord(mm.pageTable.exchange(at, PTE_NONE));
        this.kernel.flushCpuTlbs();
        mm.pageTable.write(at, pteWithout(last, USED));
        changed = true;
      }
    }
    return changed;
  }

  private isOwnRam(pte: Pte): boolean {
    if (pteKind(pte) !== PteKind.Present || this.kernel.isZeroPage(ptePfn(pte))) return false;
    const isRam = this.kernel.memory.layout.zoneOf(ptePfn(pte)).kind === ZoneKind.System;
    return isRam && this.kernel.folios.testFlag(ptePfn(pte), FolioFlag.Anon);
  }

  /** A page that others map, have locked, or still have swapped out stays as it is. @kernel folio_mark_lazyfree */
  private giveUp(pfn: Pfn): boolean {
    const { folios, swapCache } = this.kernel;
    const head = folios.headOf(pfn);
    const isWhole = !folios.isLarge(pfn) || folios.entireMapcount(head) === 1;
    if (folios.isLocked(head) || !isWhole || folios.mapcount(head) !== 1) return false;
    if (folios.testFlag(head, FolioFlag.Swapcache) && !swapCache.freeSwap(head)) return false;
    folios.clearFlag(head, FolioFlag.Dirty);
    folios.setFlag(head, FolioFlag.LazyFree);
    return true;
  }
}
