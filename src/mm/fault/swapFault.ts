/** A CPU fault on a page that was swapped out: back into memory, through the swap cache. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { SwapSlot } from '../../memory/swapArea.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { SWAP_CARRIED, swapSlotOf } from '../swap/swapCache.js';
import { makePte, PTE_WRITTEN, type Pte, PteBit, PteKind, pteFromWord, pteHas } from '../table/pte.js';
import { mustNoticeStore } from '../table/softDirty.js';
import { folioLockOrRetry } from './folioLockOrRetry.js';

export const SwapFaultStep = {
  /** A page for the content is ready; another fault may have read it in meanwhile. */
  allocated: defineStep('swap.allocated', 'vpn', 'pfn', 'id'),
  /** The page is locked; the entry may have changed meanwhile. */
  locked: defineStep('swap.locked', 'vpn', 'pfn', 'id'),
  mapped: defineStep('swap.mapped', 'vpn', 'pfn', 'flags', 'id'),
} as const;

type SwapErrno = typeof Errno.OK | typeof Errno.ENOMEM | typeof Errno.EAGAIN;

export class SwapFault {
  constructor(private readonly kernel: Kernel) {}

  /**
   * The entry was `pte` in this atomic section; mmap_lock is held for read. On OK the caller looks again. Errors: -ENOMEM; -EAGAIN, only with
   * `FaultFlag.AllowRetry`, when mmap_lock was dropped. @kernel do_swap_page
   */
  *fault(mm: Mm, page: Vpn, write: boolean, pte: Pte, flags: number): Steps<SwapErrno> {
    const { folios, folioLocks, swapCache, sched } = this.kernel;
    const slot = swapSlotOf(pte);
    const folio = yield* this.findOrRead(mm, page, pte, slot);
    if (folio === null) return Errno.OK;
    if (folio === NO_PFN) return Errno.ENOMEM;
    if (!(yield* folioLockOrRetry(this.kernel, mm, folio, flags))) {
      swapCache.put(folio);
      return Errno.EAGAIN;
    }
    if (sched.reach(SwapFaultStep.locked, page, folio, mm.id)) yield STEP;
    const unchanged = pteFromWord(mm.pageTable.get(page)) === pte;
    const isMapped = unchanged && this.isContentOf(folio, slot);
    if (isMapped) this.map(mm, page, folio, write, pte);
    folioLocks.unlock(folio);
    if (isMapped) folios.setFlag(folio, FolioFlag.Lru);
    else swapCache.put(folio);
    return Errno.OK;
  }

  /**
   * The folio that holds the slot's content, with a reference for the caller; NO_PFN when there is no memory, null when the entry has changed
   * and the slot may be somebody else's. @kernel swap_cache_get_folio, swapin_readahead
   */
  private *findOrRead(mm: Mm, page: Vpn, pte: Pte, slot: SwapSlot): Steps<Pfn | null> {
    const { folios, swapCache, sched } = this.kernel;
    let folio = swapCache.area.folioOf(slot);
    if (folio === NO_PFN) {
      const fresh = this.kernel.allocPage();
      if (fresh === NO_PFN) return NO_PFN;
      if (sched.reach(SwapFaultStep.allocated, page, fresh, mm.id)) yield STEP;
      const changed = pteFromWord(mm.pageTable.get(page)) !== pte;
      folio = changed ? NO_PFN : swapCache.area.folioOf(slot);
      if (changed || folio !== NO_PFN) folios.put(fresh);
      if (changed) return null;
      if (folio === NO_PFN) {
        swapCache.readIn(slot, fresh);
        folios.setFlag(fresh, FolioFlag.Lru);
        return fresh;
      }
    }
    folios.get(folio);
    return folio;
  }

  private isContentOf(folio: Pfn, slot: SwapSlot): boolean {
    const { swapCache, folios } = this.kernel;
    return folios.testFlag(folio, FolioFlag.Swapcache) && swapCache.slotOf(folio) === slot;
  }

  /** Under the page-table lock; the caller's reference becomes the entry's. */
  private map(mm: Mm, page: Vpn, folio: Pfn, write: boolean, pte: Pte): void {
    const { folios, swapCache, sched } = this.kernel;
    const vma = mm.vmas.find(page);
    assert(vma !== null && vma.anonVma !== null, 'a swapped page lies in no anonymous area');
    swapCache.area.free(swapSlotOf(pte));
    if (this.shouldFreeSwap(vma, folio, write)) swapCache.freeSwap(folio);
    const exclusive = pteHas(pte, PteBit.Exclusive) || folios.refcount(folio) === 1;
    // A page that relatives may share belongs to their common ancestor, through which each of them is found.
    const anonVma = exclusive ? vma.anonVma : vma.anonVma.root;
    if (folios.mapping(folio) === 0) folios.setMapping(folio, anonVma.id, vma.indexOf(page));
    folios.addRmap(folio);
    if (exclusive) folios.setFlag(folio, FolioFlag.AnonExclusive);
    mm.pageTable.write(mm.pageTable.slot(page), this.entry(vma, folio, exclusive, write, pte));
    sched.at(SwapFaultStep.mapped, page, folio, exclusive ? 1 : 0, mm.id);
  }

  /** A page that is about to be written would have to be written out again in any case. @kernel should_try_to_free_swap */
  private shouldFreeSwap(vma: Vma, folio: Pfn, write: boolean): boolean {
    if ((vma.flags & VmFlag.Locked) !== 0) return true;
    // The caller and the swap cache.
    return write && this.kernel.folios.refcount(folio) === 2;
  }

  private entry(vma: Vma, folio: Pfn, exclusive: boolean, write: boolean, old: Pte): Pte {
    const unnoticed = !write && mustNoticeStore(vma, old);
    const writable = exclusive && vma.isWritable && !unnoticed && !pteHas(old, PteBit.UffdWp);
    const written = writable && write ? PTE_WRITTEN : 0;
    const access = writable ? PteBit.Write : 0;
    return makePte(PteKind.Present, folio, PteBit.Young | access | written | (old & SWAP_CARRIED));
  }
}
