/** hmm_range_fault: reads, and where asked for faults in, the CPU's translations of a range, for a device that mirrors it. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_ORDER, PMD_PAGES, TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { HMM_PFN_PAGE_STEP, HMM_PFN_STICKY, HmmPfnFlag, hmmPfn, NO_PFN } from '../../memory/pfn.js';
import type { RadixTable } from '../../memory/radixTable.js';
import { defineStep, PARK, STEP, type Steps } from '../../sim/steps.js';
import { type FaultHandler, FaultStep } from '../fault/fault.js';
import { FaultFlag } from '../fault/faultFlag.js';
import type { Kernel } from '../kernel.js';
import { NO_OWNER, type PagemapOwner } from '../migrate/devPagemap.js';
import type { Mm } from '../process/mm.js';
import {
  PTE_PAGE_STEP,
  PTE_WRITTEN,
  type Pte,
  PteBit,
  PteKind,
  pteAllows,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteKind,
  ptePfn,
} from '../table/pte.js';
import type { IntervalNotifier } from './mmuNotifier.js';

export const HmmStep = {
  rangeFault: defineStep('hmm.rangeFault', 'vpn', 'npages', 'flags', 'id'),
  walked: defineStep('hmm.walked', 'vpn', 'npages', 'id'),
  fault: defineStep('hmm.fault', 'vpn', 'npages', 'flags', 'id'),
  done: defineStep('hmm.done', 'vpn', 'npages', 'errno', 'id'),
} as const;

/** @kernel hmm_range */
export interface HmmRange {
  readonly mm: Mm;
  readonly notifier: IntervalNotifier;
  /** From `readBegin` before the call. */
  notifierSeq: number;
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  /** One hmm-pfn per page; sticky bits of the input survive, so the caller zeroes it. */
  readonly pfns: Uint32Array;
  /** Or-ed into each request. */
  readonly defaultFlags: number;
  /** Which bits of each input entry count as a request. */
  readonly pfnFlagsMask: number;
  /** Device-private pages of this owner are returned as they are; those of others are faulted home. */
  readonly devPrivateOwner: PagemapOwner;
}

/** What one entry needs before it can be returned. @kernel HMM_NEED_FAULT, HMM_NEED_WRITE_FAULT */
export const Need = { Nothing: 0, Fault: 1, WriteFault: 3 } as const;
export type Need = (typeof Need)[keyof typeof Need];

/** The walk stopped at a page: to fault from there, or to wait for its migration. */
const WALK_DONE = -1;

/** Modelled time of a fault that changed nothing, before it is tried again. */
const REFAULT_NS = 1_000;

/** What a driver asks for the CPU's translations. The result holds until an invalidation of the range's notifier, and no longer. */
export class Hmm {
  /** Why and where the last atomic part of a walk stopped; meaningful until the next yield only. */
  private stopNeed: Need = Need.Nothing;
  private stopErrno: Errno = Errno.OK;
  private stopOnMigration = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly faults: FaultHandler,
  ) {}

  /**
   * mmap_lock is held for read. The pfns carry no references: use them only under the user lock after `readRetry` said no. Errors: -EBUSY
   * (invalidated meanwhile: begin again), -EFAULT (no mapping, or no access), -EPERM (write to a read-only mapping), -ENOMEM.
   * @kernel hmm_range_fault
   */
  rangeFault(range: HmmRange): Steps<Errno> {
    return this.fault(range, false);
  }

  /** `mayDropLock`: a fault that waits for a handler in user space or a page's lock drops mmap_lock, which -EAGAIN says. */
  *fault(range: HmmRange, mayDropLock: boolean): Steps<Errno> {
    const { mm, start, end } = range;
    mm.mmapLock.assertHeld();
    assert(range.pfns.length >= end - start, 'hmm_range has too few pfns');
    if (this.kernel.sched.reach(HmmStep.rangeFault, start, end - start, range.defaultFlags, mm.id))
      yield STEP;
    const errno = yield* this.walkAndFault(range, mayDropLock);
    const { sched, costs } = this.kernel;
    if (sched.modelsTime) yield* sched.spend(entriesOf(range) * costs.hmmPageNs);
    sched.at(HmmStep.done, start, end - start, errno, mm.id);
    return errno;
  }

  /**
   * The whole protocol up to the user lock, with no lock held: a fault may wait without mmap_lock. Repeats until nothing has been
   * invalidated meanwhile or `timeoutNs` have passed without such a wait (0: no limit). Errors: -EBUSY when the time is over, and those of
   * {@link rangeFault}. @kernel hmm_range_fault_unlocked_timeout
   */
  *rangeFaultUnlocked(range: HmmRange, timeoutNs: number): Steps<Errno> {
    const { mm, notifier } = range;
    const { sched } = this.kernel;
    let deadline = sched.now() + timeoutNs;
    for (;;) {
      if (mm.notifiers.reachReadBegin(notifier)) yield STEP;
      range.notifierSeq = mm.notifiers.readSeq(notifier);
      if (mm.notifiers.isInvalidating(notifier)) yield* mm.notifiers.untilSeqChanges(range.notifierSeq);
      if (!mm.mmapLock.beginRead()) yield PARK;
      if (timeoutNs > 0 && sched.now() > deadline) {
        mm.mmapLock.readUnlock();
        return Errno.EBUSY;
      }
      const errno = yield* this.fault(range, true);
      if (errno === Errno.EAGAIN) {
        deadline = sched.now() + timeoutNs;
        continue;
      }
      mm.mmapLock.readUnlock();
      if (errno !== Errno.EBUSY) return errno;
      if (sched.modelsTime) yield* sched.spend(REFAULT_NS);
    }
  }

  /** Entries below the walk's position are final; entries from it on are still input. */
  private *walkAndFault(range: HmmRange, mayDropLock: boolean): Steps<Errno> {
    let at: number = range.start;
    let faultedAt = -1;
    while (at < range.end) {
      if (range.notifier.checkRetry(range.notifierSeq)) return Errno.EBUSY;
      const blockEnd = this.stepEnd(at, range.end);
      const stop = this.walk(range, at, blockEnd);
      if (this.stopErrno !== Errno.OK) return this.stopErrno;
      if (stop === WALK_DONE) {
        at = blockEnd;
        if (this.kernel.sched.reach(HmmStep.walked, at, range.end - at, range.mm.id)) yield STEP;
      } else {
        at = stop;
        const { stopNeed, stopOnMigration } = this;
        // A device keeps its page for a timeslice, which would never end if trying again took no time.
        if (stop === faultedAt) yield* this.kernel.sched.spend(REFAULT_NS);
        faultedAt = stop;
        const errno = stopOnMigration
          ? yield* this.waitForMigration(range.mm, stop as Vpn)
          : yield* this.faultIn(range, stop as Vpn, stopNeed === Need.WriteFault, mayDropLock);
        if (errno !== Errno.OK) return errno;
      }
    }
    return Errno.OK;
  }

  /** Walks stop at page-table leaves, and at the run's grain. */
  private stepEnd(at: number, end: number): number {
    const grain = Math.min(PMD_PAGES, this.kernel.pagesPerStep);
    return Math.min(end, at - (at % grain) + grain);
  }

  /** Fills entries from `at` on under the page-table lock. Returns the page where something must happen first, or WALK_DONE. */
  private walk(range: HmmRange, at: number, end: number): number {
    this.stopErrno = Errno.OK;
    this.stopOnMigration = false;
    let page = at;
    while (page < end) {
      const vma = range.mm.vmas.firstFrom(page as Vpn);
      const areaStart = vma === null ? end : Math.min(end, Math.max(page, vma.start));
      if (!this.fillUnmapped(range, page, areaStart)) return WALK_DONE;
      if (vma === null || areaStart === end) return WALK_DONE;
      const areaEnd = Math.min(end, vma.end);
      if (!vma.isReadable) {
        if (!this.fillUnmapped(range, areaStart, areaEnd)) return WALK_DONE;
      } else {
        const stop = this.walkArea(range, areaStart, areaEnd);
        if (stop !== WALK_DONE) return stop;
      }
      page = areaEnd;
    }
    return WALK_DONE;
  }

  /** Pages without a usable area: an error where a fault was asked for, else the ERROR entry. False when the walk must end. */
  private fillUnmapped(range: HmmRange, from: number, end: number): boolean {
    for (let page = from; page < end; page++) {
      const i = page - range.start;
      if (this.needOf(range, i, 0) !== Need.Nothing) {
        this.stopErrno = Errno.EFAULT;
        return false;
      }
      this.store(range, i, hmmPfn(NO_PFN, HmmPfnFlag.ERROR));
    }
    return true;
  }

  private walkArea(range: HmmRange, from: number, end: number): number {
    const table = range.mm.pageTable;
    let page = from;
    while (page < end) {
      const slot = table.slot(page);
      const leafEnd = Math.min(end, page - (page % PMD_PAGES) + PMD_PAGES);
      for (let i = 0; page < leafEnd; page++, i++) {
        const pte = pteFromWord(slot < 0 ? 0 : table.read(slot + i));
        const need = this.handlePte(range, page - range.start, pte);
        if (need !== Need.Nothing || this.stopOnMigration) {
          this.stopNeed = need;
          return page;
        }
        if (pteIsHuge(pte)) {
          const alike = this.fillAlike(range, page - range.start, table, slot + i, leafEnd - page);
          page += alike;
          i += alike;
        }
      }
    }
    return WALK_DONE;
  }

  /** The pages of a huge leaf behind one that was filled in, as far as their words follow from its word; how many that are. */
  private fillAlike(range: HmmRange, i: number, table: RadixTable, slot: number, left: number): number {
    const { pfns } = range;
    const entry = pfns[i] & ~HMM_PFN_STICKY;
    const step = entry === 0 ? 0 : HMM_PFN_PAGE_STEP;
    const length = table.runLength(slot, left, PTE_PAGE_STEP);
    // Where entries cannot ask for anything themselves, what holds for the first holds for all.
    const asksEach = range.pfnFlagsMask !== 0;
    let next = entry;
    for (let at = i + 1; at < i + length; at++) {
      if (asksEach && this.needOf(range, at, entry) !== Need.Nothing) return at - i - 1;
      next += step;
      pfns[at] = (pfns[at] & HMM_PFN_STICKY) | next;
    }
    return length - 1;
  }

  /** Returns what the entry needs, or Nothing after it has been filled in. @kernel hmm_vma_handle_pte */
  private handlePte(range: HmmRange, i: number, pte: Pte): Need {
    switch (pteKind(pte)) {
      case PteKind.Present:
        return this.handlePresent(range, i, pte);
      case PteKind.DevicePrivate:
        return this.handleDevicePrivate(range, i, pte);
      case PteKind.Migration:
        if (this.needOf(range, i, 0) === Need.Nothing) return this.fill(range, i, 0);
        this.stopOnMigration = true;
        return Need.Nothing;
      case PteKind.HwPoison:
        return this.refuse(Errno.EFAULT);
      default: {
        const need = this.needOf(range, i, 0);
        return need === Need.Nothing ? this.fill(range, i, 0) : need;
      }
    }
  }

  private handlePresent(range: HmmRange, i: number, pte: Pte): Need {
    // An entry that nobody may access does not count as valid.
    const flags = pteHas(pte, PteBit.ProtNone)
      ? 0
      : HmmPfnFlag.VALID | (pteHas(pte, PteBit.Write) ? HmmPfnFlag.WRITE : 0);
    const need = this.needOf(range, i, flags);
    if (need !== Need.Nothing) return need;
    return this.fill(range, i, flags === 0 ? 0 : hmmPfn(ptePfn(pte), flags, leafOrder(pte)));
  }

  /**
   * An own page is valid as it is, also for a write request on a read-only entry: the result then lacks WRITE, and the caller must look.
   * A foreign one comes home through a CPU fault.
   */
  handleDevicePrivate(range: HmmRange, i: number, pte: Pte): Need {
    const pagemap = this.kernel.pagemapOf(ptePfn(pte));
    if (pagemap !== null && pagemap.owner === range.devPrivateOwner && pagemap.owner !== NO_OWNER) {
      const flags = HmmPfnFlag.VALID | (pteHas(pte, PteBit.Write) ? HmmPfnFlag.WRITE : 0);
      return this.fill(range, i, hmmPfn(ptePfn(pte), flags, leafOrder(pte)));
    }
    const need = this.needOf(range, i, 0);
    return need === Need.Nothing ? this.fill(range, i, 0) : need;
  }

  /** The walk ends here, with an error. */
  refuse(errno: Errno): Need {
    this.stopErrno = errno;
    return Need.Fault;
  }

  /** @kernel hmm_pte_need_fault */
  private needOf(range: HmmRange, i: number, cpuFlags: number): Need {
    const request = (range.pfns[i] & range.pfnFlagsMask) | range.defaultFlags;
    if ((request & HmmPfnFlag.REQ_FAULT) === 0) return Need.Nothing;
    if ((request & HmmPfnFlag.REQ_WRITE) !== 0 && (cpuFlags & HmmPfnFlag.WRITE) === 0) return Need.WriteFault;
    return (cpuFlags & HmmPfnFlag.VALID) === 0 ? Need.Fault : Need.Nothing;
  }

  private fill(range: HmmRange, i: number, entry: number): Need {
    this.store(range, i, entry);
    return Need.Nothing;
  }

  private store(range: HmmRange, i: number, entry: number): void {
    range.pfns[i] = (range.pfns[i] & HMM_PFN_STICKY) | entry;
  }

  /**
   * Faults every page from `page` to the end of the page-table leaf or area, as the kernel does, also those that might not have needed it;
   * the walk then looks again.
   * @kernel hmm_vma_fault
   */
  private *faultIn(range: HmmRange, page: Vpn, write: boolean, mayDropLock: boolean): Steps<Errno> {
    const vma = range.mm.vmas.find(page);
    if (vma === null) return Errno.EFAULT;
    if (write && !vma.isWritable) return Errno.EPERM;
    const leafEnd = page - (page % PMD_PAGES) + PMD_PAGES;
    const end = Math.min(range.end, leafEnd, vma.end);
    if (this.kernel.sched.reach(HmmStep.fault, page, end - page, write ? 1 : 0, range.mm.id)) yield STEP;
    const flags = mayDropLock ? FaultFlag.AllowRetry : 0;
    const { mm } = range;
    const marks = write ? PteBit.Young | PTE_WRITTEN : PteBit.Young;
    for (let at: number = page; at < end; at++) {
      const pte = pteFromWord(mm.pageTable.get(at));
      // A fault would change nothing: the entry allows the access, and says already that there was one.
      const allows = pteAllows(pte, write);
      if (allows && (pte & marks) === marks) continue;
      if (allows && !pteIsHuge(pte)) {
        if (this.kernel.sched.reach(FaultStep.handle, at, write ? 1 : 0, mm.id)) yield STEP;
        if (this.faults.touchPresent(mm, vma, at as Vpn, write)) continue;
      }
      const errno = yield* this.faults.handle(mm, vma, at as Vpn, write, flags);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** @kernel migration_entry_wait */
  private *waitForMigration(mm: Mm, page: Vpn): Steps<Errno> {
    const pte = pteFromWord(mm.pageTable.get(page));
    if (pteKind(pte) === PteKind.Migration) yield* this.kernel.folioLocks.waitUnlocked(ptePfn(pte));
    return Errno.OK;
  }
}

/** The order that each entry of a leaf reports, whatever part of the leaf was asked for. @kernel hmm_pfn_flags_order */
function leafOrder(pte: Pte): number {
  return pteIsHuge(pte) ? PMD_ORDER : 0;
}

/** Page-table entries that a walk looks at: a large leaf is one, and so is a place without a table. */
function entriesOf({ mm: { pageTable }, start, end }: HmmRange): number {
  const last = Math.min(end, TASK_SIZE_PAGES);
  let entries = 0;
  for (let page: number = start; page < last; entries++) {
    const slot = pageTable.slot(page);
    const isWhole = slot < 0 || pteIsHuge(pteFromWord(pageTable.read(slot)));
    page = isWhole ? page - (page % PMD_PAGES) + PMD_PAGES : page + 1;
  }
  return entries;
}
