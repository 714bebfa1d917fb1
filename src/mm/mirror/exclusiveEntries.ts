/** Device-exclusive entries: made for a device's atomics, and turned back as soon as anybody else wants the page. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import { folioLockOrRetry } from '../fault/folioLockOrRetry.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import {
  makePte,
  PTE_NONE,
  PTE_WRITTEN,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteKind,
  ptePfn,
} from '../table/pte.js';
import { NotifyEvent, notifierRange } from './mmuNotifier.js';

export const ExclusiveStep = {
  made: defineStep('exclusive.made', 'vpn', 'pfn', 'id'),
  /** The folio is locked; the entry may have changed meanwhile. */
  locked: defineStep('exclusive.locked', 'vpn', 'pfn', 'id'),
  restored: defineStep('exclusive.restored', 'vpn', 'pfn', 'id'),
} as const;

/** What such an entry keeps of the one that it replaced; whether it was written is the folio's knowledge. */
const CARRIED = PteBit.SoftDirty | PteBit.UffdWp;

/** The entry keeps the reference of the one that it replaced, and no mapping; the page stays exclusive to its mm. */
export class ExclusiveEntries {
  constructor(private readonly kernel: Kernel) {}

  /** Under the page-table lock, over a present entry of the locked page. Returns whether that one was writable. @kernel page_make_device_exclusive_one */
  make(mm: Mm, page: Vpn, pfn: Pfn): boolean {
    const { folios, sched } = this.kernel;
    assert(folios.isLocked(pfn), 'a page that becomes device-exclusive must be locked');
    const { pageTable } = mm;
    const slot = pageTable.slot(page);
    const old = pteFromWord(pageTable.exchange(slot, PTE_NONE));
    assert(pteKind(old) === PteKind.Present && ptePfn(old) === pfn, 'another page becomes device-exclusive');
    this.kernel.flushCpuTlbs();
    if (pteHas(old, PteBit.Dirty)) folios.setFlag(pfn, FolioFlag.Dirty);
    pageTable.write(slot, makePte(PteKind.DeviceExclusive, pfn, old & (PteBit.Write | CARRIED)));
    folios.removeRmap(pfn);
    sched.at(ExclusiveStep.made, page, pfn, mm.id);
    return pteHas(old, PteBit.Write);
  }

  /**
   * The CPU wants the page: the device loses it inside a CLEAR invalidation, unless somebody else was faster. -EAGAIN, only with
   * `FaultFlag.AllowRetry`, when mmap_lock was dropped. @kernel remove_device_exclusive_entry
   */
  *restoreAtFault(
    mm: Mm,
    vma: Vma,
    page: Vpn,
    pte: Pte,
    flags: number,
  ): Steps<typeof Errno.OK | typeof Errno.EAGAIN> {
    const { folios, folioLocks, swapCache, sched } = this.kernel;
    const pfn = ptePfn(pte);
    folios.get(pfn);
    if (!(yield* folioLockOrRetry(this.kernel, mm, pfn, flags))) {
      swapCache.put(pfn);
      return Errno.EAGAIN;
    }
    if (sched.reach(ExclusiveStep.locked, page, pfn, mm.id)) yield STEP;
    const range = notifierRange(NotifyEvent.Clear, page, (page + 1) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    if (pteFromWord(mm.pageTable.get(page)) === pte) this.restore(mm, vma, page, pte);
    folioLocks.unlock(pfn);
    swapCache.put(pfn);
    yield* mm.notifiers.invalidateEnd(range);
    return Errno.OK;
  }

  /** Under the page-table lock and inside an invalidation of the page. False when somebody has the page locked. @kernel try_restore_exclusive_pte */
  tryRestore(mm: Mm, vma: Vma, page: Vpn): boolean {
    const pte = pteFromWord(mm.pageTable.get(page));
    assert(pteKind(pte) === PteKind.DeviceExclusive, () => `${formatVpn(page)} is not device-exclusive`);
    const pfn = ptePfn(pte);
    if (!this.kernel.folioLocks.trylock(pfn)) return false;
    this.restore(mm, vma, page, pte);
    this.kernel.folioLocks.unlock(pfn);
    return true;
  }

  /** The folio is locked. @kernel restore_exclusive_pte */
  private restore(mm: Mm, vma: Vma, page: Vpn, pte: Pte): void {
    const pfn = ptePfn(pte);
    const writable = pteHas(pte, PteBit.Write) && !pteHas(pte, PteBit.UffdWp);
    const access = writable ? PTE_WRITTEN | (vma.isWritable ? PteBit.Write : 0) : 0;
    const protNone = vma.isAccessible ? 0 : PteBit.ProtNone;
    this.kernel.folios.addRmap(pfn);
    const entry = makePte(PteKind.Present, pfn, access | protNone | (pte & CARRIED));
    mm.pageTable.write(mm.pageTable.slot(page), entry);
    this.kernel.sched.at(ExclusiveStep.restored, page, pfn, mm.id);
  }
}
