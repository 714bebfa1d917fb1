/** Copying the page-table entries of one area to a child process, so that both share the pages until one of them writes. */

import { assert, unreachable } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import { changeLeaf, leafStart, readLeaf, splitLeaf, writeLeaf } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { ExclusiveEntries } from '../mirror/exclusiveEntries.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import {
  makePte,
  PTE_NONE,
  PTE_WRITTEN,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteKind,
  ptePfn,
  pteWithout,
} from '../table/pte.js';
import { pteSpanEnd } from '../table/pteSpan.js';
import { replacePte } from '../table/pteUpdate.js';
import type { Mm } from './mm.js';

export const CopyStep = {
  /** Entries of the parent that the child has too now. */
  copied: defineStep('fork.copied', 'vpn', 'npages', 'id', 'id'),
  /** There was no memory for all of these, or one was lent and locked; the parent's entries of some may have lost rights by then. */
  failed: defineStep('fork.failed', 'vpn', 'npages', 'id', 'id'),
  /** A pinned page stays the parent's, and the child got a copy of it. */
  pinned: defineStep('fork.pinned', 'vpn', 'pfn', 'pfn', 'id'),
} as const;

/** What pins and swap know, and a fork has to ask. */
export interface ForkedPages {
  /** Whether somebody may be reading or writing the folio behind the page tables' back. @kernel folio_maybe_dma_pinned */
  maybePinned(folio: Pfn): boolean;
  /** One more entry names the swap slot. @kernel swap_duplicate */
  duplicateSwapEntry(pte: Pte): void;
}

/** Two areas that cover the same pages of parent and child. */
export interface AreaPair {
  readonly parent: Mm;
  readonly child: Mm;
  readonly from: Vma;
  readonly to: Vma;
}

export class CopyPageRange {
  /** Whether a present entry of the parent lost its write permission since this was last set to false. */
  private writeProtected = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly exclusive: ExclusiveEntries,
    private readonly pages: ForkedPages,
  ) {}

  /**
   * mmap_lock of the parent is held for write. Returns whether the parent's CPU TLBs must be flushed before its threads go on, or -ENOMEM when
   * pages or page tables ran out, or a page that a device has to itself is locked; what has been copied then is the child's, and goes with it.
   * @kernel copy_page_range
   */
  *copy(pair: AreaPair): Steps<boolean | typeof Errno.ENOMEM> {
    const { parent, from } = pair;
    parent.mmapLock.assertHeldForWrite();
    if (!needsCopy(from)) return false;
    if (!isCow(from)) return yield* this.copyEntries(pair);
    const event = from.isHugetlb ? NotifyEvent.Clear : NotifyEvent.ProtectionPage;
    const range = notifierRange(event, from.start, from.end);
    yield* parent.notifiers.invalidateStart(range);
    const result = yield* this.copyEntries(pair);
    yield* parent.notifiers.invalidateEnd(range);
    return result;
  }

  private *copyEntries(pair: AreaPair): Steps<boolean | typeof Errno.ENOMEM> {
    const { parent, child, from } = pair;
    let needsFlush = false;
    let page = parent.pageTable.nextPopulated(from.start, from.end);
    while (page < from.end) {
      const end = pteSpanEnd(this.kernel, parent, page, from.end);
      this.writeProtected = false;
      const reached = this.copySpan(pair, page, end);
      if (this.writeProtected) needsFlush = true;
      if (reached < 0) {
        this.kernel.sched.at(CopyStep.failed, page, end - page, parent.id, child.id);
        return Errno.ENOMEM;
      }
      if (this.kernel.sched.reach(CopyStep.copied, page, reached - page, parent.id, child.id)) yield STEP;
      page = parent.pageTable.nextPopulated(reached, from.end);
    }
    return needsFlush;
  }

  /**
   * Under both page-table locks, within one leaf table. Returns where it stopped: behind a huge leaf, or at the end; -1 without memory, and where
   * somebody has a page locked that a device has to itself, of which fork says the same. @kernel copy_pte_range
   */
  private copySpan(pair: AreaPair, start: number, end: number): number {
    const { parent, child } = pair;
    const slot = parent.pageTable.slot(start);
    for (let page = start; page < end; page++) {
      const at = slot + page - start;
      if (parent.pageTable.read(at) === PTE_NONE) continue;
      const childSlot = child.pageTable.ensure(page);
      if (childSlot < 0) return -1;
      if (pteIsHuge(pteFromWord(parent.pageTable.read(at)))) {
        assert(page === leafStart(page), 'a fork meets the middle of a huge leaf');
        if (this.isPinnedHugetlb(pair, at))
          return this.copyPinnedHugetlb(pair, page as Vpn, at, childSlot) ? page + PMD_PAGES : -1;
        if (this.copyLeaf(pair, at, childSlot)) return page + PMD_PAGES;
        splitLeaf(this.kernel, parent, page);
      }
      if (pteKind(pteFromWord(parent.pageTable.read(at))) === PteKind.DeviceExclusive) {
        if (!this.exclusive.tryRestore(parent, pair.from, page as Vpn)) return -1;
      }
      if (!this.copyEntry(pair, page as Vpn, at, childSlot)) return -1;
    }
    return end;
  }

  /** False without memory. @kernel copy_present_ptes, copy_nonpresent_pte */
  private copyEntry(pair: AreaPair, page: Vpn, slot: number, childSlot: number): boolean {
    const pte = pteFromWord(pair.parent.pageTable.read(slot));
    const kind = pteKind(pte);
    switch (kind) {
      case PteKind.Present:
        return this.copyPresent(pair, page, slot, childSlot, pte);
      case PteKind.DevicePrivate:
        this.shareFolio(ptePfn(pte));
        this.copyUnpresent(pair, slot, childSlot, pte, PteBit.Write | PteBit.SoftDirty);
        return true;
      case PteKind.Migration:
        this.copyUnpresent(pair, slot, childSlot, pte, PteBit.Write | PteBit.Exclusive);
        return true;
      case PteKind.Swap:
        this.pages.duplicateSwapEntry(pte);
        this.copyUnpresent(pair, slot, childSlot, pte, PteBit.Exclusive);
        return true;
      case PteKind.HwPoison:
      case PteKind.Marker:
        pair.child.pageTable.write(childSlot, pte);
        return true;
      case PteKind.None:
      case PteKind.DeviceExclusive:
        assert(false, 'a fork copies an entry that it should have passed or restored');
        return true;
      default:
        return unreachable(kind);
    }
  }

  private copyPresent(pair: AreaPair, page: Vpn, slot: number, childSlot: number, pte: Pte): boolean {
    const { folios } = this.kernel;
    const pfn = ptePfn(pte);
    if (!this.kernel.isZeroPage(pfn)) {
      const isExclusive = folios.testFlag(pfn, FolioFlag.AnonExclusive);
      if (isExclusive && this.pages.maybePinned(folios.headOf(pfn)))
        return this.copyPinned(pair, page, childSlot, pte);
      this.shareFolio(pfn);
    }
    let kept = pte;
    if (isCow(pair.from) && pteHas(pte, PteBit.Write)) {
      kept = pteWithout(replacePte(pair.parent.pageTable, slot, pteWithout(pte, PteBit.Write)), PteBit.Write);
      this.writeProtected = true;
    }
    pair.child.pageTable.write(childSlot, childPresent(pair, kept));
    return true;
  }

  /** One more entry maps the page, which from now on nobody has for himself. Takes the entry's reference. @kernel folio_try_dup_anon_rmap_pte, folio_dup_file_rmap_pte */
  private shareFolio(pfn: Pfn): void {
    const { folios } = this.kernel;
    if (folios.testFlag(pfn, FolioFlag.AnonExclusive)) folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    folios.get(pfn);
    folios.addRmap(pfn);
  }

  /** Entries that the hardware does not look at: both lose the same rights, where the area is copied on write. */
  private copyUnpresent(pair: AreaPair, slot: number, childSlot: number, pte: Pte, lost: number): void {
    const shared = isCow(pair.from) && (pte & lost & ~PteBit.SoftDirty) !== 0 ? pteWithout(pte, lost) : pte;
    if (shared !== pte) pair.parent.pageTable.write(slot, shared);
    pair.child.pageTable.write(childSlot, childEntry(shared));
  }

  /** Whoever pinned the page goes on seeing what the parent writes, and the child never sees what is written through the pin. @kernel copy_present_page */
  private copyPinned(pair: AreaPair, page: Vpn, childSlot: number, pte: Pte): boolean {
    const { kernel } = this;
    const { folios } = kernel;
    const { to, child } = pair;
    const copied = kernel.allocPage();
    if (copied === NO_PFN) return false;
    kernel.memory.copyPages(copied, ptePfn(pte), 1);
    assert(to.anonVma !== null, 'the child of an area with anonymous pages has no anon_vma');
    folios.setMapping(copied, to.anonVma.id, to.indexOf(page));
    folios.addRmap(copied);
    folios.setFlag(copied, FolioFlag.AnonExclusive);
    folios.setFlag(copied, FolioFlag.Lru);
    const access = (to.isWritable ? PteBit.Write : 0) | (to.isAccessible ? 0 : PteBit.ProtNone);
    child.pageTable.write(childSlot, makePte(PteKind.Present, copied, access | PteBit.Young | PTE_WRITTEN));
    kernel.sched.at(CopyStep.pinned, page, ptePfn(pte), copied, child.id);
    return true;
  }

  private isPinnedHugetlb({ parent }: AreaPair, slot: number): boolean {
    const { folios } = this.kernel;
    const head = ptePfn(readLeaf(parent.pageTable, slot));
    const isExclusive =
      folios.testFlag(head, FolioFlag.Hugetlb) && folios.testFlag(head, FolioFlag.AnonExclusive);
    return isExclusive && this.pages.maybePinned(head);
  }

  /** False when no huge page is left that nobody was promised. @kernel copy_hugetlb_page_range, hugetlb_install_folio */
  private copyPinnedHugetlb(
    { parent, child, to }: AreaPair,
    page: Vpn,
    slot: number,
    childSlot: number,
  ): boolean {
    const { kernel } = this;
    const { folios } = kernel;
    const copied = kernel.hugetlb.alloc(false);
    if (copied === NO_PFN) return false;
    const leaf = readLeaf(parent.pageTable, slot);
    kernel.memory.copyPages(copied, ptePfn(leaf), PMD_PAGES);
    assert(to.anonVma !== null, 'the child of an area with anonymous pages has no anon_vma');
    folios.setMapping(copied, to.anonVma.id, to.indexOf(page));
    folios.addEntireRmap(copied);
    folios.setFlag(copied, FolioFlag.AnonExclusive);
    const kept = leaf & (PteBit.Huge | PteBit.Write | PteBit.ProtNone);
    writeLeaf(
      child.pageTable,
      childSlot,
      makePte(PteKind.Present, copied, kept | PteBit.Young | PteBit.Dirty),
    );
    kernel.sched.at(CopyStep.pinned, page, ptePfn(leaf), copied, child.id);
    return true;
  }

  /** A leaf is shared as one. False when it maps a pinned folio: it is split, and its pages are copied one by one. @kernel copy_huge_pmd */
  private copyLeaf(pair: AreaPair, slot: number, childSlot: number): boolean {
    const { folios } = this.kernel;
    const table = pair.parent.pageTable;
    const leaf = readLeaf(table, slot);
    const head = ptePfn(leaf);
    const kind = pteKind(leaf);
    const isZero = kind === PteKind.Present && this.kernel.isZeroPage(head);
    if (kind !== PteKind.Migration && !isZero) {
      const isExclusive = folios.testFlag(head, FolioFlag.AnonExclusive);
      if (kind === PteKind.Present && isExclusive && this.pages.maybePinned(head)) return false;
      if (isExclusive) folios.clearFlag(head, FolioFlag.AnonExclusive);
      folios.get(head);
      folios.addEntireRmap(head);
    }
    const lost = PteBit.Write | (kind === PteKind.Migration ? PteBit.Exclusive : 0);
    if (isCow(pair.from) && (leaf & lost) !== 0) {
      changeLeaf(table, slot, 0, lost);
      if (kind === PteKind.Present) this.writeProtected = true;
    }
    const kept = readLeaf(table, slot);
    writeLeaf(
      pair.child.pageTable,
      childSlot,
      kind === PteKind.Present ? childPresent(pair, kept) : childEntry(kept),
    );
    return true;
  }
}

/** What a fault of the child would bring back in any case is left to it. @kernel vma_needs_copy */
function needsCopy(from: Vma): boolean {
  return (from.flags & VmFlag.MixedMap) !== 0 || from.anonVma !== null;
}

/** @kernel is_cow_mapping */
export function isCow(vma: Vma): boolean {
  return (vma.flags & (VmFlag.Shared | VmFlag.MayShare)) === 0;
}

/** The child has not touched the page; of a shared mapping it has not written it either. @kernel __copy_present_ptes */
function childPresent(pair: AreaPair, pte: Pte): Pte {
  const untouched = pteWithout(pte, PteBit.Young | (isCow(pair.from) ? 0 : PteBit.Dirty));
  return childEntry(untouched);
}

/** userfaultfd does not follow into the child. */
function childEntry(pte: Pte): Pte {
  return pteWithout(pte, PteBit.UffdWp);
}
