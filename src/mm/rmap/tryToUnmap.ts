/** Taking a folio out of every page table to reclaim it: swap entries take the place of anonymous mappings, nothing that of file mappings. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { VmFlag } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import { makeSwapPte, SWAP_CARRIED } from '../swap/swapCache.js';
import { PTE_NONE, type Pte, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../table/pte.js';
import type { Rmap } from './rmap.js';

export const UnmapFolioStep = {
  tryToUnmap: defineStep('rmap.tryToUnmap', 'vpn', 'pfn', 'id'),
  /** One entry leads no longer to the page, which is in swap, in its file, or given up. */
  unmapped: defineStep('rmap.unmapped', 'vpn', 'pfn', 'id'),
} as const;

export class TryToUnmap {
  constructor(
    private readonly kernel: Kernel,
    private readonly rmap: Rmap,
  ) {}

  /**
   * The folio is locked, of one page, and in a file's cache, in the swap cache, or lazily free. Each mapping goes inside a CLEAR invalidation of
   * its mm. It stops at the first mapping that must stay: the caller looks at the mapcount.
   * @kernel try_to_unmap
   */
  *unmap(pfn: Pfn): Steps<void> {
    assert(this.kernel.folios.isLocked(pfn), 'a page that is unmapped to be reclaimed must be locked');
    let goOn = true;
    for (const { mm, start } of this.rmap.mappings(pfn)) {
      if (goOn) goOn = yield* this.unmapAt(mm, start, pfn);
      mm.drop();
    }
  }

  private *unmapAt(mm: Mm, page: Vpn, pfn: Pfn): Steps<boolean> {
    const range = notifierRange(NotifyEvent.Clear, page, (page + 1) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const goOn = this.replaceEntry(mm, page, pfn);
    if (this.kernel.sched.reach(UnmapFolioStep.tryToUnmap, page, pfn, mm.id)) yield STEP;
    yield* mm.notifiers.invalidateEnd(range);
    return goOn;
  }

  /** Under the page-table lock. False when the mapping must stay, and the folio with it. @kernel try_to_unmap_one */
  private replaceEntry(mm: Mm, page: Vpn, pfn: Pfn): boolean {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(page);
    const old = slot < 0 ? PTE_NONE : pteFromWord(mm.pageTable.read(slot));
    if (pteKind(old) !== PteKind.Present || ptePfn(old) !== pfn) return true;
    const vma = mm.vmas.find(page);
    if (vma !== null && (vma.flags & VmFlag.Locked) !== 0) return false;
    const last = pteFromWord(mm.pageTable.exchange(slot, PTE_NONE));
    this.kernel.flushCpuTlbs();
    if (pteHas(last, PteBit.Dirty)) folios.setFlag(pfn, FolioFlag.Dirty);
    const next = this.replacement(pfn, last);
    mm.pageTable.write(slot, next ?? last);
    if (next === null) return false;
    folios.removeRmap(pfn);
    folios.put(pfn);
    this.kernel.sched.at(UnmapFolioStep.unmapped, page, pfn, mm.id);
    return true;
  }

  /** What the entry becomes; null when it must stay. A page of a file is found again in the file. */
  private replacement(pfn: Pfn, old: Pte): Pte | null {
    const { folios } = this.kernel;
    if (!folios.testFlag(pfn, FolioFlag.Anon)) return PTE_NONE;
    return folios.testFlag(pfn, FolioFlag.LazyFree) ? this.discard(pfn) : this.swapEntry(pfn, old);
  }

  /** A page that its owner gave up goes without a trace, unless it was written since or somebody else holds it. */
  private discard(pfn: Pfn): Pte | null {
    const { folios } = this.kernel;
    const untouched =
      !folios.testFlag(pfn, FolioFlag.Dirty) && folios.refcount(pfn) === 1 + folios.mapcount(pfn);
    if (untouched) return PTE_NONE;
    folios.clearFlag(pfn, FolioFlag.LazyFree);
    return null;
  }

  private swapEntry(pfn: Pfn, old: Pte): Pte | null {
    const { folios, pins, swapCache } = this.kernel;
    if (!pins.mayShare(pfn)) return null;
    const slot = swapCache.slotOf(pfn);
    swapCache.area.duplicate(slot);
    const exclusive = folios.testFlag(pfn, FolioFlag.AnonExclusive);
    if (exclusive) folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    return makeSwapPte(slot, (old & SWAP_CARRIED) | (exclusive ? PteBit.Exclusive : 0));
  }
}
