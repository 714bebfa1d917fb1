/** mprotect: changing what a range of mapped memory allows. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import {
  coversLeaf,
  isLeafAt,
  readLeaf,
  replaceLeaf,
  splitHugePmd,
  splitHugePmdsAcross,
} from '../huge/hugeLeaf.js';
import { cutsHugetlbArea, cutUpToHugePage } from '../hugetlb/hugetlbArea.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import {
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
import { pteSpanEnd } from '../table/pteSpan.js';
import { replacePte } from '../table/pteUpdate.js';
import { mustNoticeStore } from '../table/softDirty.js';
import type { Mlock } from './mlock.js';
import { PROT_MASK } from './mmap.js';
import { type Vma, VmFlag } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const MprotectStep = {
  mprotect: defineStep('mm.mprotect', 'vpn', 'npages', 'flags', 'id'),
  changed: defineStep('mprotect.changed', 'vpn', 'npages', 'id'),
  done: defineStep('mprotect.done', 'vpn', 'npages', 'errno', 'id'),
} as const;

export class Mprotect {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    /** Fills locked areas; null where nobody asks for them. */
    private readonly mlock: Mlock | null = null,
  ) {}

  /**
   * Gives the range the protection `prot`. Errors: -EACCES to allow stores to a file that was opened for reading, -EINVAL for a cut through a hugetlb page, -ENOMEM when part of it is not mapped, after everything before the hole has been changed,
   * when the range ends beyond the address space, or when there would be too many areas. Takes mmap_lock for write.
   * @kernel do_mprotect_pkey
   */
  *mprotect(mm: Mm, start: Vpn, npages: number, prot: number): Steps<Errno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MprotectStep.mprotect, start, npages, prot, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    let errno: Errno = Errno.OK;
    if (npages > 0) {
      yield* mm.mmapLock.write();
      errno = yield* this.protectLocked(mm, start, (start + npages) as Vpn, prot & PROT_MASK);
      mm.mmapLock.writeUnlock();
    }
    sched.at(MprotectStep.done, start, npages, errno, mm.id);
    return errno;
  }

  private *protectLocked(mm: Mm, start: Vpn, end: Vpn, prot: number): Steps<Errno> {
    let at: number = start;
    while (at < end) {
      const vma = at < TASK_SIZE_PAGES ? mm.vmas.find(at as Vpn) : null;
      if (vma === null) return Errno.ENOMEM;
      const pieceEnd = Math.min(vma.end, end) as Vpn;
      const errno = yield* this.fixup(mm, vma, at as Vpn, pieceEnd, prot);
      if (errno !== Errno.OK) return errno;
      at = pieceEnd;
    }
    return Errno.OK;
  }

  /** One area's part of the range. @kernel mprotect_fixup */
  private *fixup(mm: Mm, vma: Vma, start: Vpn, end: Vpn, prot: number): Steps<Errno> {
    const oldFlags = vma.flags;
    const flags = protectedFlags(vma, prot);
    if (flags === oldFlags) return Errno.OK;
    if ((flags & VmFlag.Write) !== 0 && (flags & VmFlag.MayWrite) === 0) return Errno.EACCES;
    if (cutsHugetlbArea(vma, start, end)) return cutUpToHugePage(this.edit, mm, start);
    yield* splitHugePmdsAcross(this.kernel, mm, start, end);
    const area = this.edit.modifyFlags(mm, vma, start, end, flags);
    if (area === Errno.ENOMEM) return Errno.ENOMEM;
    if (mm.pageTable.nextPopulated(start, end) < end) yield* this.changeProtection(mm, area, start, end);
    // Like the kernel it does not matter to the caller if that fails.
    if (needsCopies(oldFlags, flags) && this.mlock !== null)
      yield* this.mlock.populateArea(mm, area, start, end);
    return Errno.OK;
  }

  /** The area's flags are the new ones already. @kernel change_protection */
  private *changeProtection(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Steps<void> {
    const { sched } = this.kernel;
    const range = notifierRange(NotifyEvent.ProtectionVma, start, end);
    yield* mm.notifiers.invalidateStart(range);
    let changedPresent = false;
    let page = mm.pageTable.nextPopulated(start, end);
    while (page < end) {
      if (isLeafAt(mm.pageTable, page) && !coversLeaf(page, end)) yield* splitHugePmd(this.kernel, mm, page);
      const stepEnd = pteSpanEnd(this.kernel, mm, page, end);
      if (this.changeEntries(mm, vma, page, stepEnd)) changedPresent = true;
      if (sched.reach(MprotectStep.changed, page, stepEnd - page, mm.id)) yield STEP;
      page = mm.pageTable.nextPopulated(stepEnd, end);
    }
    if (changedPresent) {
      this.kernel.flushCpuTlbs();
      yield* sched.settle();
    }
    yield* mm.notifiers.invalidateEnd(range);
  }

  /** Under the page-table lock, within one leaf table. Returns whether a present entry changed. @kernel change_pte_range */
  private changeEntries(mm: Mm, vma: Vma, start: number, end: number): boolean {
    const slot = mm.pageTable.slot(start);
    if (pteIsHuge(mm.pageTable.read(slot))) return this.changeHugeLeaf(mm, vma, slot);
    let changedPresent = false;
    for (let at = slot; at < slot + end - start; at++) {
      const old = pteFromWord(mm.pageTable.read(at));
      const next = this.protectedPte(vma, old);
      if (next === old) continue;
      replacePte(mm.pageTable, at, next);
      if (pteKind(old) === PteKind.Present) changedPresent = true;
    }
    return changedPresent;
  }

  /** @kernel change_huge_pmd */
  private changeHugeLeaf(mm: Mm, vma: Vma, slot: number): boolean {
    const old = readLeaf(mm.pageTable, slot);
    const next = this.protectedPte(vma, old);
    if (next === old) return false;
    replaceLeaf(mm.pageTable, slot, next);
    return pteKind(old) === PteKind.Present;
  }

  /** The entry as the area's protection demands it. Swap-like entries lose write access and get it back by a fault. */
  private protectedPte(vma: Vma, pte: Pte): Pte {
    switch (pteKind(pte)) {
      case PteKind.Present:
        return this.protectedPresentPte(vma, pte);
      case PteKind.Migration:
        if (!pteHas(pte, PteBit.Write)) return pte;
        return pteWith(pteWithout(pte, PteBit.Write), this.isAnon(pte) ? PteBit.Exclusive : 0);
      case PteKind.DevicePrivate:
        return this.protectedPrivatePte(pte);
      case PteKind.DeviceExclusive:
        return pteWithout(pte, PteBit.Write);
      default:
        return pte;
    }
  }

  /** With its write access a page in device memory loses that it was stored to, which nobody needs but a checkpoint. @kernel change_pte_range, change_huge_pmd */
  private protectedPrivatePte(pte: Pte): Pte {
    return pteHas(pte, PteBit.Write) ? pteWithout(pte, PteBit.Write | PteBit.SoftDirty) : pte;
  }

  private protectedPresentPte(vma: Vma, pte: Pte): Pte {
    const bare = pteWithout(pte, PteBit.Write | PteBit.ProtNone);
    if (!vma.isAccessible) return pteWith(bare, PteBit.ProtNone);
    // A private hugetlb page gets its write permission from a fault only.
    if (vma.isHugetlb) return vma.mapsWritable ? pteWith(bare, PteBit.Write) : bare;
    const writable = vma.isShared ? this.mayStoreShared(vma, pte) : this.mayStorePrivate(vma, pte);
    return writable ? pteWith(bare, PteBit.Write) : bare;
  }

  /** A page that is dirty already needs no fault to be told so. @kernel can_change_shared_pte_writable */
  private mayStoreShared(vma: Vma, pte: Pte): boolean {
    if (vma.mapsWritable) return true;
    return vma.isWritable && pteHas(pte, PteBit.Dirty) && !mustNoticeStore(vma, pte);
  }

  private isAnon(pte: Pte): boolean {
    return this.kernel.folios.testFlag(ptePfn(pte), FolioFlag.Anon);
  }

  /** Nobody else can see the page, so a write needs no fault to copy it first; never true of the zero page. @kernel can_change_private_pte_writable */
  private mayStorePrivate(vma: Vma, pte: Pte): boolean {
    if (!vma.isWritable || mustNoticeStore(vma, pte)) return false;
    return this.kernel.folios.testFlag(ptePfn(pte), FolioFlag.AnonExclusive);
  }
}

/** Private memory that is to stay becomes writable: its copies are made now, so that no store faults. @kernel mprotect_fixup */
function needsCopies(oldFlags: number, flags: number): boolean {
  const { Write, Shared, Locked } = VmFlag;
  return (oldFlags & (Write | Shared | Locked)) === Locked && (flags & Write) !== 0;
}

const CHARGED_ALREADY = VmFlag.Account | VmFlag.Write | VmFlag.Hugetlb | VmFlag.Shared | VmFlag.NoReserve;

/**
 * Private memory is charged when it becomes writable, and stays so, but for anonymous memory in which nothing was written yet. @kernel mprotect_fixup
 */
function protectedFlags(vma: Vma, prot: number): number {
  const flags = (vma.flags & ~PROT_MASK) | prot;
  if ((flags & VmFlag.Write) !== 0)
    return (vma.flags & CHARGED_ALREADY) === 0 ? flags | VmFlag.Account : flags;
  const wasNeverWritten = vma.isAnonymous && vma.anonVma === null;
  return wasNeverWritten ? flags & ~VmFlag.Account : flags;
}
