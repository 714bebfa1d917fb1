/** Writing dirty pages of a file to its disk: mappings lose the right to store, so that the next store is noticed. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import type { Rmap } from '../rmap/rmap.js';
import { PTE_NONE, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn, pteWithout } from '../table/pte.js';

export const WritebackStep = {
  cleaned: defineStep('writeback.cleaned', 'vpn', 'pfn', 'id'),
  written: defineStep('writeback.written', 'pfn'),
} as const;

export class Writeback {
  constructor(
    private readonly kernel: Kernel,
    private readonly rmap: Rmap,
  ) {}

  /** The page is locked and of a file on a disk. Clean afterwards, unless it was stored to meanwhile. @kernel folio_clear_dirty_for_io, writepage */
  *write(pfn: Pfn): Steps<void> {
    const { folios, pageCache, sched } = this.kernel;
    assert(folios.isLocked(pfn), 'a page is written back that is not locked');
    yield* this.makeClean(pfn);
    // The last who had the file open or mapped may have closed it meanwhile.
    if (!folios.isCached(pfn)) return;
    pageCache.writeBack(pfn);
    if (sched.reach(WritebackStep.written, pfn)) yield STEP;
  }

  /** In each mm that may store, inside one PROTECTION_PAGE invalidation; private mappings do not store to the file. @kernel folio_mkclean */
  private *makeClean(pfn: Pfn): Steps<void> {
    for (const { mm, start } of this.rmap.mappings(pfn)) {
      if (mm.vmas.find(start)?.isShared ?? false) yield* this.makeCleanAt(mm, start, pfn);
      mm.drop();
    }
  }

  private *makeCleanAt(mm: Mm, page: Vpn, pfn: Pfn): Steps<void> {
    const range = notifierRange(NotifyEvent.ProtectionPage, page, (page + 1) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    this.writeProtect(mm, page, pfn);
    if (this.kernel.sched.reach(WritebackStep.cleaned, page, pfn, mm.id)) yield STEP;
    yield* mm.notifiers.invalidateEnd(range);
  }

  /** Under the page-table lock. @kernel page_vma_mkclean_one */
  private writeProtect(mm: Mm, page: Vpn, pfn: Pfn): void {
    const slot = mm.pageTable.slot(page);
    if (slot < 0) return;
    const old = pteFromWord(mm.pageTable.read(slot));
    if (pteKind(old) !== PteKind.Present || ptePfn(old) !== pfn) return;
    if ((old & (PteBit.Write | PteBit.Dirty)) === 0) return;
    const last = pteFromWord(mm.pageTable.exchange(slot, PTE_NONE));
    this.kernel.flushCpuTlbs();
    mm.pageTable.write(slot, pteWithout(last, PteBit.Write | PteBit.Dirty));
    if (pteHas(last, PteBit.Dirty)) this.kernel.folios.setFlag(pfn, FolioFlag.Dirty);
  }
}
