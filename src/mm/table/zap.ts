/** Clearing page-table entries: what munmap, madvise and exit do to the pages of a range. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { clearLeaf, coversLeaf, isLeafAt, splitHugePmd } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { MmuGather } from './mmuGather.js';
import {
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteKind,
  ptePfn,
} from './pte.js';
import { pteSpanEnd } from './pteSpan.js';

export const ZapStep = {
  cleared: defineStep('zap.cleared', 'vpn', 'npages', 'id'),
  flushed: defineStep('zap.flushed', 'vpn', 'npages', 'id'),
  tablesFreed: defineStep('zap.tablesFreed', 'vpn', 'npages', 'id'),
} as const;

export class Zap {
  /** Gathers that no task uses now. */
  private readonly idle: MmuGather[] = [];

  constructor(private readonly kernel: Kernel) {}

  /**
   * Empties every entry in `[start, end)`. mmap_lock is held, for read suffices; the caller brackets it with invalidation events. On return
   * no CPU thread reaches the old pages, and their references are gone.
   * @kernel unmap_page_range
   */
  *zapRange(mm: Mm, start: Vpn, end: Vpn): Steps<void> {
    mm.mmapLock.assertHeld();
    const gather = this.idle.pop() ?? new MmuGather();
    let page = mm.pageTable.nextPopulated(start, end);
    while (page < end) {
      const from = page;
      // Another leaf may have come where the split one was, while mirrors were told.
      while (isLeafAt(mm.pageTable, from) && !coversLeaf(from, end))
        yield* splitHugePmd(this.kernel, mm, from);
      page = pteSpanEnd(this.kernel, mm, from, end);
      this.clearEntries(mm, from, page, gather);
      if (this.kernel.sched.reach(ZapStep.cleared, from, page - from, mm.id)) yield STEP;
      if (gather.isFull) yield* this.flush(mm, start, page - start, gather);
      page = mm.pageTable.nextPopulated(page, end);
    }
    if (!gather.isEmpty) yield* this.flush(mm, start, end - start, gather);
    this.idle.push(gather);
  }

  /**
   * Frees the page tables that lie wholly inside `[start, end)`, a range that no area touches and that has been zapped. mmap_lock is held.
   * @kernel free_pgtables
   */
  freeTables(mm: Mm, start: Vpn, end: Vpn): void {
    mm.mmapLock.assertHeld();
    mm.pageTable.release(start, end, () => this.kernel.flushGatheredTlbs());
    this.kernel.sched.at(ZapStep.tablesFreed, start, end - start, mm.id);
  }

  /** Under the page-table lock, within one leaf table. @kernel zap_pte_range */
  private clearEntries(mm: Mm, start: number, end: number, gather: MmuGather): void {
    const slot = mm.pageTable.slot(start);
    if (pteIsHuge(mm.pageTable.read(slot))) {
      this.clearHugeLeaf(mm, start, slot, gather);
      return;
    }
    const last = slot + end - start;
    let at = mm.pageTable.nextUsedSlot(slot, last);
    while (at < last) {
      this.clearEntry(mm, at, gather);
      at = mm.pageTable.nextUsedSlot(at + 1, last);
    }
  }

  /** @kernel zap_huge_pmd */
  private clearHugeLeaf(mm: Mm, page: number, slot: number, gather: MmuGather): void {
    const { folios } = this.kernel;
    const leaf = clearLeaf(mm.pageTable, slot);
    const head = ptePfn(leaf);
    const kind = pteKind(leaf);
    if (kind === PteKind.Present) gather.needsFlush = true;
    if (kind === PteKind.Migration || this.kernel.isZeroPage(head)) return;
    folios.removeEntireRmap(head);
    if (folios.testFlag(head, FolioFlag.Hugetlb)) this.keepPromise(mm, page, head);
    if (kind === PteKind.Present) gather.add(head);
    else folios.put(head);
  }

  /** An area that stays keeps the right to a huge page where it just lost one. @kernel __unmap_hugepage_range (adjust_reservation) */
  private keepPromise(mm: Mm, page: number, head: Pfn): void {
    const vma = mm.vmas.find(page as Vpn);
    if (vma !== null && this.kernel.folios.testFlag(head, FolioFlag.Anon))
      vma.reservation?.restoreOnFree(head, vma.indexOf(page as Vpn));
  }

  private clearEntry(mm: Mm, slot: number, gather: MmuGather): void {
    const pte = pteFromWord(mm.pageTable.exchange(slot, PTE_NONE));
    const pfn = ptePfn(pte);
    switch (pteKind(pte)) {
      case PteKind.Present:
        gather.needsFlush = true;
        if (pfn === this.kernel.zeroPage) break;
        this.unmapPresent(pte, pfn, gather);
        break;
      case PteKind.DevicePrivate:
        // In no CPU TLB, so the reference can go at once.
        this.kernel.folios.removeRmap(pfn);
        this.kernel.folios.put(pfn);
        break;
      case PteKind.DeviceExclusive:
        this.kernel.swapCache.put(pfn);
        break;
      case PteKind.Swap:
        this.kernel.swapCache.releaseEntry(pte);
        break;
      default:
        // A migration entry holds no reference: whoever migrates the page finds nothing to map it to.
        break;
    }
  }

  /** What was stored through the entry is in a file's page and must not be forgotten. @kernel zap_present_folio_ptes */
  private unmapPresent(pte: Pte, pfn: Pfn, gather: MmuGather): void {
    const { folios } = this.kernel;
    if (pteHas(pte, PteBit.Dirty) && folios.isCached(pfn)) folios.setFlag(pfn, FolioFlag.Dirty);
    folios.removeRmap(pfn);
    gather.add(pfn);
  }

  /** @kernel tlb_flush_mmu */
  private *flush(mm: Mm, start: number, npages: number, gather: MmuGather): Steps<void> {
    const { sched } = this.kernel;
    assert(!gather.isEmpty, 'nothing to flush');
    if (gather.needsFlush) {
      this.kernel.flushCpuTlbs();
      yield* sched.settle();
    }
    if (sched.reach(ZapStep.flushed, start, npages, mm.id)) yield STEP;
    gather.putAll(this.kernel.swapCache);
  }
}
