/** MADV_PAGEOUT: pages that their owner will not need for long leave memory now, however recently they were used. */

import { PMD_PAGES } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { FolioParts } from '../huge/folioParts.js';
import { coversLeaf, isLeafAt, leafStart } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import type { Reclaim } from '../swap/reclaim.js';
import { type Pte, PteKind, pteFromWord, pteKind, ptePfn } from '../table/pte.js';

export const MadvisePageOutStep = {
  /** Folios of one PMD were taken off the LRU, and are about to be reclaimed. */
  isolated: defineStep('madvise.pageOut', 'vpn', 'npages', 'count', 'id'),
} as const;

export class MadvisePageOut {
  constructor(
    private readonly kernel: Kernel,
    private readonly parts: FolioParts,
    private readonly reclaim: Reclaim,
  ) {}

  /**
   * Reclaims what one area maps in the range and nobody else does, PMD by PMD. A large folio of which the range has a part is split first, and
   * stays as it is where that cannot be. mmap_lock is held for read. @kernel madvise_pageout
   */
  *pageOut(mm: Mm, start: number, end: number): Steps<void> {
    mm.mmapLock.assertHeld();
    let page = mm.pageTable.nextPopulated(start, end);
    while (page < end) {
      const from = page;
      const isolated: Pfn[] = [];
      page = isLeafAt(mm.pageTable, from)
        ? yield* this.isolateLeaf(mm, from, end, isolated)
        : yield* this.isolateEntries(mm, from, end, isolated);
      if (this.kernel.sched.reach(MadvisePageOutStep.isolated, from, page - from, isolated.length, mm.id))
        yield STEP;
      yield* this.reclaim.reclaimIsolated(isolated);
      page = mm.pageTable.nextPopulated(page, end);
    }
  }

  /** Under the page-table lock: the whole leaf, or none of it after a split, so that the caller looks again. @kernel madvise_cold_or_pageout_pte_range */
  private *isolateLeaf(mm: Mm, page: number, end: number, out: Pfn[]): Steps<number> {
    const first = leafStart(page);
    const leaf = pteFromWord(mm.pageTable.get(first));
    if (!this.isRam(leaf)) return first + PMD_PAGES;
    if (page !== first || !coversLeaf(first, end))
      return (yield* this.parts.split(ptePfn(leaf))) ? page : first + PMD_PAGES;
    if (!this.parts.isLikelyShared(ptePfn(leaf))) this.isolate(ptePfn(leaf), out);
    return first + PMD_PAGES;
  }

  /** What the entries of one page table map. Returns where the table ends, or the range. @kernel madvise_cold_or_pageout_pte_range */
  private *isolateEntries(mm: Mm, start: number, end: number, out: Pfn[]): Steps<number> {
    const { folios } = this.kernel;
    const limit = Math.min(end, leafStart(start) + PMD_PAGES);
    let page = start;
    while (page < limit) {
      const pte = pteFromWord(mm.pageTable.get(page));
      if (!this.isRam(pte)) {
        page++;
        continue;
      }
      const head = folios.headOf(ptePfn(pte));
      const run = this.parts.mappedRun(mm, page, limit);
      if (run < folios.npages(head)) {
        if (!(yield* this.parts.split(head))) page += run;
        continue;
      }
      if (folios.mapcount(head) === folios.npages(head)) this.isolate(head, out);
      page += run;
    }
    return limit;
  }

  private isolate(head: Pfn, out: Pfn[]): void {
    if (this.reclaim.isolate(head)) out.push(head);
  }

  /** Ordinary memory, and not the zero page. @kernel vm_normal_folio */
  private isRam(pte: Pte): boolean {
    if (pteKind(pte) !== PteKind.Present || this.kernel.isZeroPage(ptePfn(pte))) return false;
    if (this.kernel.folios.testFlag(this.kernel.folios.headOf(ptePfn(pte)), FolioFlag.Hugetlb)) return false;
    return this.kernel.memory.layout.zoneOf(ptePfn(pte)).kind === ZoneKind.System;
  }
}
