/** CPU page faults: making one page accessible, or saying why it cannot be. */

import { assert, unreachable } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import { FileFault } from '../file/fileFault.js';
import { FALLBACK, HugeFault } from '../huge/hugeFault.js';
import { HugetlbFault } from '../hugetlb/hugetlbFault.js';
import type { Kernel } from '../kernel.js';
import { ExclusiveEntries } from '../mirror/exclusiveEntries.js';
import type { Mm } from '../process/mm.js';
import { reclaimMap } from '../reclaimMap.js';
import { vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
import {
  makePte,
  PTE_NONE,
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
  pteWith,
  pteWithout,
} from '../table/pte.js';
import { replacePte } from '../table/pteUpdate.js';
import { mustNoticeStore } from '../table/softDirty.js';
import { askUserspace } from './askUserspace.js';
import { CopyOnWrite, mapNewAnonPage } from './copyOnWrite.js';
import { FaultFlag } from './faultFlag.js';
import { SwapFault } from './swapFault.js';

export const FaultStep = {
  /** `flags` is 1 for a store. */
  cpuFault: defineStep('fault.cpu', 'vpn', 'flags', 'id'),
  cpuFaultDone: defineStep('fault.cpuDone', 'vpn', 'errno', 'id'),
  handle: defineStep('fault.handle', 'vpn', 'flags', 'id'),
  zeroPage: defineStep('fault.zeroPage', 'vpn', 'id'),
  /** A zeroed page is ready; the entry may have been filled meanwhile. */
  allocated: defineStep('fault.allocated', 'vpn', 'pfn', 'id'),
  anonymous: defineStep('fault.anonymous', 'vpn', 'pfn', 'id'),
  spurious: defineStep('fault.spurious', 'vpn', 'pfn', 'id'),
  waitMigration: defineStep('fault.waitMigration', 'vpn', 'pfn', 'id'),
  /** The device page is somebody else's just now. */
  deviceBusy: defineStep('fault.deviceBusy', 'vpn', 'pfn', 'id'),
  deviceLocked: defineStep('fault.deviceLocked', 'vpn', 'pfn', 'id'),
  /** migrate_to_ram is back; the page was unlocked and put. */
  deviceDone: defineStep('fault.deviceDone', 'vpn', 'pfn', 'errno', 'id'),
} as const;

/**
 * How a fault ends. OK: access again, which may fault again. -EFAULT: no mapping or not allowed (SIGSEGV), or the device could not give the
 * page back, or the file ends before the page (SIGBUS; the steps `fault.deviceDone` and `fault.beyondFile` tell). -ENOMEM: no page or page table left.
 * @kernel vm_fault_t
 */
export type FaultErrno = typeof Errno.OK | typeof Errno.EFAULT | typeof Errno.ENOMEM;

/** -EAGAIN, only with `FaultFlag.AllowRetry`: mmap_lock was dropped while the fault waited; the caller takes it and begins again. @kernel VM_FAULT_RETRY */
export type FaultOrRetry = FaultErrno | typeof Errno.EAGAIN;

const PROGRAM_ACCESS = FaultFlag.AllowRetry | FaultFlag.User;

export class FaultHandler {
  private readonly swapFault: SwapFault;
  private readonly huge: HugeFault;
  private readonly hugetlb: HugetlbFault;

  constructor(
    private readonly kernel: Kernel,
    private readonly copyOnWrite: CopyOnWrite = new CopyOnWrite(kernel),
    private readonly files: FileFault = new FileFault(kernel),
    readonly exclusive: ExclusiveEntries = new ExclusiveEntries(kernel),
  ) {
    this.swapFault = new SwapFault(kernel);
    this.huge = new HugeFault(kernel);
    this.hugetlb = new HugetlbFault(kernel);
  }

  /** A CPU thread's access to `page` failed. Takes mmap_lock for read. @kernel do_user_addr_fault */
  *cpuFault(mm: Mm, page: Vpn, write: boolean): Steps<FaultErrno> {
    const { sched } = this.kernel;
    if (sched.reach(FaultStep.cpuFault, page, write ? 1 : 0, mm.id)) yield STEP;
    const errno = yield* this.faultUntilServed(mm, page, write);
    sched.at(FaultStep.cpuFaultDone, page, errno, mm.id);
    return errno;
  }

  /** Begins again, with whatever area is there then, after each wait without mmap_lock. */
  private *faultUntilServed(mm: Mm, page: Vpn, write: boolean): Steps<FaultErrno> {
    for (let flags: number = PROGRAM_ACCESS; ; flags |= FaultFlag.Tried) {
      yield* mm.mmapLock.read();
      const vma = mm.vmas.find(page);
      const errno: FaultOrRetry =
        vma === null ? Errno.EFAULT : yield* this.handle(mm, vma, page, write, flags);
      if (errno === Errno.EAGAIN) continue;
      yield* this.kernel.sched.spend(this.kernel.costs.cpuFaultNs);
      mm.mmapLock.readUnlock();
      return errno;
    }
  }

  /** mmap_lock is held for read throughout, and `vma` contains `page`. On OK the caller looks at the entry again. @kernel handle_mm_fault */
  *handleMmFault(mm: Mm, vma: Vma, page: Vpn, write: boolean, flags = 0): Steps<FaultErrno> {
    assert((flags & FaultFlag.AllowRetry) === 0, 'a fault that may drop the lock has another result');
    const errno = yield* this.handle(mm, vma, page, write, flags);
    return errno === Errno.EAGAIN ? Errno.EFAULT : errno;
  }

  /** The same for a caller that can begin again. `flags` of {@link FaultFlag}. */
  *handle(mm: Mm, vma: Vma, page: Vpn, write: boolean, flags: number): Steps<FaultOrRetry> {
    mm.mmapLock.assertHeld();
    assert(vma.start <= page && page < vma.end, () => `fault at ${formatVpn(page)} outside its area`);
    if (write ? !vma.isWritable : !vma.isAccessible) return Errno.EFAULT;
    for (;;) {
      const errno = yield* this.serve(mm, vma, page, write, flags);
      if (errno !== Errno.ENOMEM || !(yield* this.makeRoom())) return errno;
    }
  }

  /**
   * What {@link handle} comes to where the entry allows the access: it is marked as used. Without a generator, as HMM asks for each page of a range that
   * has come home with one fault. False, and nothing done, where it does not. The caller has reached {@link FaultStep.handle}.
   */
  touchPresent(mm: Mm, vma: Vma, page: Vpn, write: boolean): boolean {
    mm.mmapLock.assertHeld();
    const pte = pteFromWord(mm.pageTable.get(page));
    const isAllowed = write ? vma.isWritable : vma.isAccessible;
    if (!isAllowed || !pteAllows(pte, write) || pteIsHuge(pte) || vma.isHugetlb) return false;
    this.markUsed(mm, page, pte, write);
    return true;
  }

  /** Whether trying again may help. Ends: each time there is less to free. @kernel __alloc_pages_direct_reclaim */
  private *makeRoom(): Steps<boolean> {
    const { makeRoom, sched } = this.kernel;
    if (makeRoom === null) return false;
    sched.enter(reclaimMap);
    const hasFreed = yield* makeRoom();
    sched.leave(reclaimMap);
    return hasFreed;
  }

  /** @kernel __handle_mm_fault */
  private *serve(mm: Mm, vma: Vma, page: Vpn, write: boolean, flags: number): Steps<FaultOrRetry> {
    if (this.kernel.sched.reach(FaultStep.handle, page, write ? 1 : 0, mm.id)) yield STEP;
    if (vma.isHugetlb)
      return yield* this.hugetlb.handle(mm, vma, page, write, (flags & FaultFlag.Unshare) !== 0);
    if (this.huge.concerns(mm, vma, page)) {
      const served = yield* this.huge.handle(mm, vma, page, write, (flags & FaultFlag.Unshare) !== 0);
      if (served !== FALLBACK) return served;
    }
    // The table stays as long as the area does, hence for the whole fault; the entry may change at every yield.
    const slot = mm.pageTable.ensure(page);
    if (slot < 0) return Errno.ENOMEM;
    const pte = pteFromWord(mm.pageTable.read(slot));
    // A leaf has come meanwhile: the access meets it when it is tried again.
    if (pteIsHuge(pte) && pteKind(pte) === PteKind.Present) return Errno.OK;
    return yield* this.handlePte(mm, vma, page, write, pte, flags);
  }

  /** `pte` was read in this atomic section. @kernel handle_pte_fault */
  private handlePte(
    mm: Mm,
    vma: Vma,
    page: Vpn,
    write: boolean,
    pte: Pte,
    flags: number,
  ): Steps<FaultOrRetry> {
    const kind = pteKind(pte);
    switch (kind) {
      case PteKind.None:
        return this.handleNone(mm, vma, page, write, flags);
      case PteKind.Present:
        if ((flags & FaultFlag.Unshare) !== 0) return this.unshare(mm, vma, page, pte);
        return this.handlePresent(mm, vma, page, write, pte);
      case PteKind.Migration:
        return this.waitForMigration(mm, page, pte);
      case PteKind.DevicePrivate:
        return this.bringHome(mm, vma, page, pte, flags);
      case PteKind.HwPoison:
      case PteKind.Marker:
        return refuse();
      case PteKind.Swap:
        return this.swapFault.fault(mm, page, write, pte, flags);
      case PteKind.DeviceExclusive:
        return this.exclusive.restoreAtFault(mm, vma, page, pte, flags);
      default:
        return unreachable(kind);
    }
  }

  /** @kernel do_pte_missing */
  private *handleNone(mm: Mm, vma: Vma, page: Vpn, write: boolean, flags: number): Steps<FaultOrRetry> {
    const mayRetry = (flags & FaultFlag.AllowRetry) !== 0;
    if (!vma.isAnonymous) return yield* this.files.handle(mm, vma, page, write, flags);
    if (write) return yield* this.mapFreshPage(mm, vma, page, mayRetry);
    return vma.isUserfaulted ? yield* askUserspace(mm, page, write, mayRetry) : this.mapZeroPage(mm, page);
  }

  private *unshare(mm: Mm, vma: Vma, page: Vpn, pte: Pte): Steps<FaultErrno> {
    const errno = yield* this.copyOnWrite.breakCow(mm, vma, page, pte, true);
    return errno === Errno.OK ? Errno.OK : Errno.ENOMEM;
  }

  /** A page that was never written reads as zeros, without memory of its own. @kernel do_anonymous_page */
  private mapZeroPage(mm: Mm, page: Vpn): FaultErrno {
    const { sched, zeroPage } = this.kernel;
    mm.pageTable.write(mm.pageTable.slot(page), makePte(PteKind.Present, zeroPage, PteBit.Young));
    sched.at(FaultStep.zeroPage, page, mm.id);
    return Errno.OK;
  }

  /** @kernel do_anonymous_page */
  private *mapFreshPage(mm: Mm, vma: Vma, page: Vpn, mayRetry: boolean): Steps<FaultOrRetry> {
    const { sched, folios, memory } = this.kernel;
    const pfn = vmfAnonPrepare(this.kernel, mm, vma) ? this.kernel.allocPage() : NO_PFN;
    if (pfn === NO_PFN) return Errno.ENOMEM;
    memory.zeroPages(pfn, 1);
    if (sched.reach(FaultStep.allocated, page, pfn, mm.id)) yield STEP;
    if (mm.pageTable.get(page) !== PTE_NONE) {
      folios.put(pfn);
      return Errno.OK;
    }
    // Asked last, as nobody knew before that the page is missing.
    if (vma.isUserfaulted) {
      folios.put(pfn);
      return yield* askUserspace(mm, page, true, mayRetry);
    }
    mapNewAnonPage(this.kernel, mm, vma, page, pfn);
    sched.at(FaultStep.anonymous, page, pfn, mm.id);
    return Errno.OK;
  }

  private *handlePresent(mm: Mm, vma: Vma, page: Vpn, write: boolean, pte: Pte): Steps<FaultErrno> {
    if (pteHas(pte, PteBit.ProtNone)) return this.allowAgain(mm, vma, page, pte);
    if (write && !pteHas(pte, PteBit.Write)) {
      if (vma.isShared) return yield* this.files.makeWritable(mm, vma, page, pte);
      const errno = yield* this.copyOnWrite.breakCow(mm, vma, page, pte);
      return errno === Errno.OK ? Errno.OK : Errno.ENOMEM;
    }
    this.markUsed(mm, page, pte, write);
    return Errno.OK;
  }

  /** Somebody else was faster, or a TLB still held the entry of before. @kernel ptep_set_access_flags */
  private markUsed(mm: Mm, page: Vpn, pte: Pte, write: boolean): void {
    const marked = pteWith(pte, write ? PteBit.Young | PTE_WRITTEN : PteBit.Young);
    if (marked !== pte) replacePte(mm.pageTable, mm.pageTable.slot(page), marked);
    this.kernel.sched.at(FaultStep.spurious, page, ptePfn(pte), mm.id);
  }

  /** The area is accessible, so only the entry forbade it. @kernel do_numa_page */
  private allowAgain(mm: Mm, vma: Vma, page: Vpn, pte: Pte): FaultErrno {
    const pfn = ptePfn(pte);
    const { folios, sched } = this.kernel;
    const isOwn = vma.mapsWritable || folios.testFlag(pfn, FolioFlag.AnonExclusive);
    const mayWrite = vma.isWritable && isOwn && !mustNoticeStore(vma, pte);
    const allowed = pteWith(pteWithout(pte, PteBit.ProtNone), PteBit.Young | (mayWrite ? PteBit.Write : 0));
    replacePte(mm.pageTable, mm.pageTable.slot(page), allowed);
    sched.at(FaultStep.spurious, page, pfn, mm.id);
    return Errno.OK;
  }

  /** The page is locked as long as the entry is there. @kernel migration_entry_wait */
  private *waitForMigration(mm: Mm, page: Vpn, pte: Pte): Steps<FaultErrno> {
    const { sched, folios, folioLocks } = this.kernel;
    const pfn = ptePfn(pte);
    assert(folios.isLocked(pfn), () => `${folios.describe(pfn)} has a migration entry but is not locked`);
    sched.at(FaultStep.waitMigration, page, pfn, mm.id);
    yield* folioLocks.waitUnlocked(pfn);
    return Errno.OK;
  }

  /** A locked page is on its way already: wait and look again. Of a leaf the whole folio is asked for. @kernel do_swap_page, do_huge_pmd_device_private */
  *bringHome(mm: Mm, vma: Vma, page: Vpn, pte: Pte, flags = 0): Steps<FaultErrno> {
    const { sched, folios, folioLocks } = this.kernel;
    const pfn = pteIsHuge(pte) ? folios.headOf(ptePfn(pte)) : ptePfn(pte);
    if (!folioLocks.trylock(pfn)) {
      sched.at(FaultStep.deviceBusy, page, pfn, mm.id);
      yield* folioLocks.waitUnlocked(pfn);
      return Errno.OK;
    }
    folios.get(pfn);
    if (sched.reach(FaultStep.deviceLocked, page, pfn, mm.id)) yield STEP;
    const pagemap = this.kernel.pagemapOf(pfn);
    assert(pagemap !== null, () => `${folios.describe(pfn)} is device-private but has no pagemap`);
    const byProgram = (flags & FaultFlag.User) !== 0;
    const errno = yield* pagemap.ops.migrateToRam({ mm, vma, page, pfn, byProgram });
    folioLocks.unlock(pfn);
    folios.put(pfn);
    if (sched.reach(FaultStep.deviceDone, page, pfn, errno, mm.id)) yield STEP;
    return errno === Errno.OK ? Errno.OK : Errno.EFAULT;
  }
}

/** Of what no fault can make accessible. */
function* refuse(): Steps<FaultErrno> {
  return Errno.EFAULT;
}
