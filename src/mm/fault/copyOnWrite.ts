/** A store to a page that is present but read-only: reuse it if nobody else can see it, else copy it. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
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
  ptePfn,
  pteWith,
} from '../table/pte.js';
import { replacePte } from '../table/pteUpdate.js';

export const CowStep = {
  reused: defineStep('fault.reused', 'vpn', 'pfn', 'id'),
  /** The copy is made; the entry may have changed meanwhile. */
  copied: defineStep('fault.copied', 'vpn', 'pfn', 'pfn', 'id'),
  broken: defineStep('fault.cowBroken', 'vpn', 'pfn', 'pfn', 'id'),
} as const;

const WRITTEN = PteBit.Write | PteBit.Young | PTE_WRITTEN;

export class CopyOnWrite {
  constructor(private readonly kernel: Kernel) {}

  /**
   * The area is writable, the entry is `pte`, read in this atomic section; mmap_lock is held for read. With `unshare` the page only becomes this
   * mm's alone, to be pinned, and stays as read-only as it was; the area need not be writable then. Error: -ENOMEM. @kernel do_wp_page
   */
  *breakCow(mm: Mm, vma: Vma, page: Vpn, pte: Pte, unshare = false): Steps<Errno> {
    const { folios, zeroPage, sched } = this.kernel;
    const pfn = ptePfn(pte);
    const canReuse =
      pfn !== zeroPage &&
      (folios.testFlag(pfn, FolioFlag.AnonExclusive) || this.takeOver(mm, vma, page, pfn));
    if (!canReuse)
      return vmfAnonPrepare(this.kernel, mm, vma)
        ? yield* this.copy(mm, vma, page, pte, unshare ? PteBit.Young : WRITTEN)
        : Errno.ENOMEM;
    if (!unshare) replacePte(mm.pageTable, mm.pageTable.slot(page), pteWith(pte, WRITTEN));
    sched.at(CowStep.reused, page, pfn, mm.id);
    return Errno.OK;
  }

  /** The last mapping of a once shared page, with no reference beside its own, makes it this area's alone. @kernel wp_can_reuse_anon_folio */
  private takeOver(mm: Mm, vma: Vma, page: Vpn, pfn: Pfn): boolean {
    const { folios, folioLocks, swapCache } = this.kernel;
    const cached = folios.testFlag(pfn, FolioFlag.Swapcache) ? 1 : 0;
    if (!folios.testFlag(pfn, FolioFlag.Anon) || folios.refcount(pfn) !== 1 + cached) return false;
    if (!folioLocks.trylock(pfn)) return false;
    // The swap cache stays as long as others still have the page swapped out.
    if (cached === 1) swapCache.freeSwap(pfn);
    const isAlone = folios.refcount(pfn) === 1;
    if (isAlone) {
      folios.setMapping(pfn, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(page));
      folios.setFlag(pfn, FolioFlag.AnonExclusive);
    }
    folioLocks.unlock(pfn);
    return isAlone;
  }

  /** The old page cannot go or change while it is copied: it is referenced, and read-only everywhere. @kernel wp_page_copy */
  private *copy(mm: Mm, vma: Vma, page: Vpn, pte: Pte, bits: number): Steps<Errno> {
    const { folios, sched } = this.kernel;
    const old = ptePfn(pte) === this.kernel.zeroPage ? NO_PFN : ptePfn(pte);
    const copied = this.allocCopy(old);
    if (copied === NO_PFN) return Errno.ENOMEM;
    if (old !== NO_PFN) folios.get(old);
    if (sched.reach(CowStep.copied, page, old, copied, mm.id)) yield STEP;
    const range = notifierRange(NotifyEvent.Clear, page, (page + 1) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const replaced = this.replacePage(mm, vma, page, pte, copied, bits);
    yield* mm.notifiers.invalidateEnd(range);
    if (!replaced) folios.put(copied);
    else if (old !== NO_PFN) folios.put(old);
    if (old !== NO_PFN) this.kernel.swapCache.put(old);
    return Errno.OK;
  }

  private allocCopy(old: Pfn): Pfn {
    const copied = this.kernel.allocPage();
    if (copied === NO_PFN) return NO_PFN;
    if (old === NO_PFN) this.kernel.memory.zeroPages(copied, 1);
    else this.kernel.memory.copyPages(copied, old, 1);
    return copied;
  }

  /**
   * Under the page-table lock, if the entry is still the same. The new entry is visible only after the old page left every CPU TLB, or two
   * threads could see different pages. The caller drops the old entry's reference.
   */
  private replacePage(mm: Mm, vma: Vma, page: Vpn, pte: Pte, copied: Pfn, bits: number): boolean {
    const { folios, sched, zeroPage } = this.kernel;
    const slot = mm.pageTable.slot(page);
    if (pteFromWord(mm.pageTable.read(slot)) !== pte) return false;
    const old = ptePfn(pteFromWord(mm.pageTable.exchange(slot, PTE_NONE)));
    this.kernel.flushCpuTlbs();
    mapNewAnonPage(this.kernel, mm, vma, page, copied, bits);
    if (old !== zeroPage) folios.removeRmap(old);
    sched.at(CowStep.broken, page, old, copied, mm.id);
    return true;
  }
}

/**
 * Under the page-table lock: maps a fresh page, whose only reference becomes the entry's, as exclusive anonymous memory that has just been
 * written. The slot exists and the area is writable. @kernel folio_add_new_anon_rmap, folio_add_lru_vma
 */
export function mapNewAnonPage(
  kernel: Kernel,
  mm: Mm,
  vma: Vma,
  page: Vpn,
  pfn: Pfn,
  bits: number = WRITTEN,
): void {
  const { folios } = kernel;
  assert(vma.isWritable || (bits & PteBit.Write) === 0, 'a page is written in a read-only area');
  folios.setMapping(pfn, prepareAnonVma(kernel, mm, vma).id, vma.indexOf(page));
  folios.addRmap(pfn);
  folios.setFlag(pfn, FolioFlag.AnonExclusive);
  folios.setFlag(pfn, FolioFlag.Lru);
  mm.pageTable.write(mm.pageTable.slot(page), makePte(PteKind.Present, pfn, bits));
}
