/** Faults that a huge page can serve: the first touch of a PMD, and accesses that a PMD leaf does not allow. */

import { Errno } from '../../base/errno.js';
import { PMD_ORDER, PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { FaultErrno } from '../fault/fault.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { prepareAnonVma, vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
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
  pteWith,
  pteWithout,
} from '../table/pte.js';
import { mustNoticeStore } from '../table/softDirty.js';
import { changeLeaf, leafStart, readLeaf, replaceLeaf, splitHugePmd, writeLeaf } from './hugeLeaf.js';
import { isPmdNone, wantsHugePage } from './thpArea.js';

export const HugeFaultStep = {
  zeroPage: defineStep('fault.hugeZeroPage', 'vpn', 'id'),
  /** A zeroed huge page is ready; the place may have been filled meanwhile. */
  allocated: defineStep('fault.hugeAllocated', 'vpn', 'pfn', 'id'),
  anonymous: defineStep('fault.hugeAnonymous', 'vpn', 'pfn', 'id'),
  /** There was no huge page; small ones serve the fault. */
  fallback: defineStep('fault.hugeFallback', 'vpn', 'id'),
  reused: defineStep('fault.hugeReused', 'vpn', 'pfn', 'id'),
} as const;

const WRITTEN = PteBit.Write | PteBit.Young | PTE_WRITTEN;

/** Small pages must serve the fault. @kernel VM_FAULT_FALLBACK */
export const FALLBACK = null;

export class HugeFault {
  constructor(private readonly kernel: Kernel) {}

  /** Whether {@link handle} must be asked first; cheap where there are no huge pages. */
  concerns(mm: Mm, vma: Vma, page: Vpn): boolean {
    const word = mm.pageTable.get(page);
    if (pteIsHuge(word)) return true;
    return word === PTE_NONE && wantsHugePage(this.kernel, vma, page) && isPmdNone(mm.pageTable, page);
  }

  /** mmap_lock is held for read and the access is allowed. With `unshare` the page becomes this mm's alone. Leaves that are not present are for the caller. @kernel create_huge_pmd, wp_huge_pmd */
  *handle(mm: Mm, vma: Vma, page: Vpn, write: boolean, unshare = false): Steps<FaultErrno | typeof FALLBACK> {
    const pte = pteFromWord(mm.pageTable.get(page));
    if (!pteIsHuge(pte)) return yield* this.mapNew(mm, vma, page, write);
    if (pteKind(pte) !== PteKind.Present) return FALLBACK;
    return yield* this.handlePresent(mm, vma, page, write, unshare);
  }

  /** @kernel do_huge_pmd_anonymous_page */
  private *mapNew(mm: Mm, vma: Vma, page: Vpn, write: boolean): Steps<FaultErrno | typeof FALLBACK> {
    // Even for the zero page, so that a child gets a copy of these entries where it would not of small ones.
    if (!vmfAnonPrepare(this.kernel, mm, vma)) return Errno.ENOMEM;
    if ((vma.flags & VmFlag.UffdMissing) !== 0) return FALLBACK;
    const start = leafStart(page);
    return write ? yield* this.mapFresh(mm, vma, start) : this.mapZero(mm, start);
  }

  private mapZero(mm: Mm, start: Vpn): FaultErrno | typeof FALLBACK {
    const slot = mm.pageTable.ensure(start);
    if (slot < 0) return Errno.ENOMEM;
    const zero = this.kernel.getHugeZeroPage();
    if (zero === NO_PFN) return this.fallBack(mm, start);
    writeLeaf(mm.pageTable, slot, makePte(PteKind.Present, zero, PteBit.Huge | PteBit.Young));
    this.kernel.sched.at(HugeFaultStep.zeroPage, start, mm.id);
    return Errno.OK;
  }

  private *mapFresh(mm: Mm, vma: Vma, start: Vpn): Steps<FaultErrno | typeof FALLBACK> {
    const { kernel } = this;
    const head = kernel.allocFolio(PMD_ORDER);
    if (head === NO_PFN) return this.fallBack(mm, start);
    if (mm.pageTable.ensure(start) < 0) {
      kernel.folios.put(head);
      return Errno.ENOMEM;
    }
    kernel.memory.zeroPages(head, PMD_PAGES);
    if (kernel.sched.reach(HugeFaultStep.allocated, start, head, mm.id)) yield STEP;
    if (!isPmdNone(mm.pageTable, start)) {
      kernel.folios.put(head);
      return Errno.OK;
    }
    mapNewHugePage(kernel, mm, vma, start, head);
    kernel.sched.at(HugeFaultStep.anonymous, start, head, mm.id);
    return Errno.OK;
  }

  private fallBack(mm: Mm, start: Vpn): typeof FALLBACK {
    this.kernel.sched.at(HugeFaultStep.fallback, start, mm.id);
    return FALLBACK;
  }

  private *handlePresent(
    mm: Mm,
    vma: Vma,
    page: Vpn,
    write: boolean,
    unshare: boolean,
  ): Steps<FaultErrno | typeof FALLBACK> {
    const table = mm.pageTable;
    const slot = table.slot(leafStart(page));
    const leaf = readLeaf(table, slot);
    if (pteHas(leaf, PteBit.ProtNone)) {
      const mayWrite = vma.isWritable && this.isExclusive(leaf) && !mustNoticeStore(vma, leaf);
      const open = pteWith(pteWithout(leaf, PteBit.ProtNone), PteBit.Young | (mayWrite ? PteBit.Write : 0));
      replaceLeaf(table, slot, open);
      return Errno.OK;
    }
    if (unshare || (write && !pteHas(leaf, PteBit.Write)))
      return yield* this.breakCow(mm, vma, page, slot, leaf, unshare);
    changeLeaf(table, slot, write ? PteBit.Young | PTE_WRITTEN : PteBit.Young, 0);
    return Errno.OK;
  }

  private isExclusive(leaf: Pte): boolean {
    return this.kernel.folios.testFlag(ptePfn(leaf), FolioFlag.AnonExclusive);
  }

  /** A folio that nobody else can see is written as it is; else the leaf is split and only the page that is written is copied. With
   * `unshare` it is to be this mm's alone without being written. @kernel do_huge_pmd_wp_page */
  private *breakCow(
    mm: Mm,
    vma: Vma,
    page: Vpn,
    slot: number,
    leaf: Pte,
    unshare: boolean,
  ): Steps<FaultErrno | typeof FALLBACK> {
    const head = ptePfn(leaf);
    const reuse =
      !this.kernel.isZeroPage(head) && (this.isExclusive(leaf) || this.takeOver(mm, vma, page, head));
    if (reuse) {
      if (!unshare) replaceLeaf(mm.pageTable, slot, pteWith(leaf, WRITTEN));
      this.kernel.sched.at(HugeFaultStep.reused, leafStart(page), head, mm.id);
      return Errno.OK;
    }
    yield* splitHugePmd(this.kernel, mm, page);
    return this.fallBack(mm, leafStart(page));
  }

  private takeOver(mm: Mm, vma: Vma, page: Vpn, head: Pfn): boolean {
    const { folios, folioLocks } = this.kernel;
    if (folios.refcount(head) !== 1 || !folioLocks.trylock(head)) return false;
    folios.setMapping(head, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(leafStart(page)));
    folios.setFlag(head, FolioFlag.AnonExclusive);
    folioLocks.unlock(head);
    return true;
  }
}

/**
 * Under the page-table lock: maps a fresh large folio, whose only reference becomes the leaf's, as exclusive anonymous memory. The PMD is
 * empty and has a page table. @kernel map_anon_folio_pmd, folio_add_new_anon_rmap
 */
export function mapNewHugePage(kernel: Kernel, mm: Mm, vma: Vma, start: Vpn, head: Pfn): void {
  const { folios } = kernel;
  folios.setMapping(head, prepareAnonVma(kernel, mm, vma).id, vma.indexOf(start));
  folios.addEntireRmap(head);
  folios.setFlag(head, FolioFlag.AnonExclusive);
  folios.setFlag(head, FolioFlag.Lru);
  const bits = PteBit.Huge | PteBit.Young | PTE_WRITTEN | (vma.isWritable ? PteBit.Write : 0);
  const protNone = vma.isAccessible ? 0 : PteBit.ProtNone;
  writeLeaf(mm.pageTable, mm.pageTable.slot(start), makePte(PteKind.Present, head, bits | protNone));
}
