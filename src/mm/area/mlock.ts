/** mlock and munlock: memory that stays in RAM, and is there from the start. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { FaultHandler } from '../fault/fault.js';
import { FaultFlag } from '../fault/faultFlag.js';
import { splitHugePmdsAcross } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { pteAllows, pteFromWord } from '../table/pte.js';
import { touchForWrite } from '../table/touch.js';
import { type Vma, VmFlag } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const MlockStep = {
  mlock: defineStep('mm.mlock', 'vpn', 'npages', 'flags', 'id'),
  populate: defineStep('mlock.populate', 'vpn', 'npages', 'id'),
  done: defineStep('mlock.done', 'vpn', 'npages', 'errno', 'id'),
} as const;

/** How far a call has got: where it drops mmap_lock it goes on from there. */
interface Progress {
  page: Vpn;
}

export class Mlock {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    private readonly faults: FaultHandler,
  ) {}

  /**
   * Locks the range and faults all of it in. Errors: -ENOMEM when part of it is not mapped, after what comes before is locked, when there would
   * be too many areas, or for an area that allows no access; -EAGAIN when memory runs out.
   * @kernel do_mlock
   */
  *mlock(mm: Mm, start: Vpn, npages: number): Steps<Errno> {
    const end = (start + npages) as Vpn;
    let errno = yield* this.applyFlag(mm, start, end, VmFlag.Locked);
    if (errno === Errno.OK) errno = mlockErrno(yield* this.populate(mm, start, end));
    this.kernel.sched.at(MlockStep.done, start, npages, errno, mm.id);
    return errno;
  }

  /** Errors: -ENOMEM as for {@link mlock}. The pages stay where they are. @kernel sys_munlock */
  *munlock(mm: Mm, start: Vpn, npages: number): Steps<Errno> {
    const errno = yield* this.applyFlag(mm, start, (start + npages) as Vpn, 0);
    this.kernel.sched.at(MlockStep.done, start, npages, errno, mm.id);
    return errno;
  }

  /**
   * Makes every page of the range present, writable ones for writing, so that a first store needs no copy. Stops at the first that fails.
   * mmap_lock is taken for read, and anew after each wait without it. Errors: those of the fault; -EFAULT for an area without
   * access. @kernel __mm_populate
   */
  *populate(mm: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    if (this.kernel.sched.reach(MlockStep.populate, start, end - start, mm.id)) yield STEP;
    const progress: Progress = { page: start };
    for (;;) {
      yield* mm.mmapLock.read();
      const errno = yield* this.populateLocked(mm, progress, end);
      if (errno === Errno.EAGAIN) continue;
      mm.mmapLock.readUnlock();
      return errno;
    }
  }

  /** -EAGAIN: mmap_lock was dropped. */
  private *populateLocked(mm: Mm, progress: Progress, end: Vpn): Steps<Errno> {
    while (progress.page < end) {
      const vma = mm.vmas.firstIn(progress.page, end);
      if (vma === null) break;
      progress.page = Math.max(progress.page, vma.start) as Vpn;
      const pieceEnd = Math.min(end, vma.end) as Vpn;
      const errno = yield* this.faultIn(mm, vma, progress, pieceEnd, FaultFlag.AllowRetry);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** A part of one area; mmap_lock is held. Errors: those of the fault. @kernel populate_vma_page_range */
  *populateArea(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Steps<Errno> {
    return yield* this.faultIn(mm, vma, { page: start }, end, 0);
  }

  private *faultIn(mm: Mm, vma: Vma, progress: Progress, end: Vpn, flags: number): Steps<Errno> {
    const write = vma.isWritable && (vma.flags & VmFlag.Shared) === 0;
    while (progress.page < end) {
      const { page } = progress;
      if (pteAllows(pteFromWord(mm.pageTable.get(page)), write)) {
        if (write) touchForWrite(this.kernel, mm, page);
        progress.page = (page + 1) as Vpn;
        continue;
      }
      const errno = yield* this.faults.handle(mm, vma, page, write, flags);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** @kernel apply_vma_lock_flags */
  private *applyFlag(mm: Mm, start: Vpn, end: Vpn, flag: number): Steps<Errno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MlockStep.mlock, start, end - start, flag, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    if (end <= start) return Errno.OK;
    yield* mm.mmapLock.write();
    const errno = yield* this.applyLocked(mm, start, end, flag);
    mm.mmapLock.writeUnlock();
    return errno;
  }

  private *applyLocked(mm: Mm, start: Vpn, end: Vpn, flag: number): Steps<Errno> {
    for (let at = start; at < end; ) {
      const vma = mm.vmas.find(at);
      if (vma === null) return Errno.ENOMEM;
      const pieceEnd = Math.min(vma.end, end) as Vpn;
      if (!(yield* this.fixup(mm, vma, at, pieceEnd, flag))) return Errno.ENOMEM;
      at = pieceEnd;
    }
    return Errno.OK;
  }

  /** Special areas are passed over: nobody reclaims their pages. @kernel mlock_fixup */
  private *fixup(mm: Mm, vma: Vma, start: Vpn, end: Vpn, flag: number): Steps<boolean> {
    const flags = (vma.flags & ~VmFlag.Locked) | flag;
    if (flags === vma.flags || vma.isSpecial) return true;
    yield* splitHugePmdsAcross(this.kernel, mm, start, end);
    return this.edit.modifyFlags(mm, vma, start, end, flags) !== Errno.ENOMEM;
  }
}

/** @kernel __mlock_posix_error_return */
function mlockErrno(errno: Errno): Errno {
  if (errno === Errno.EFAULT) return Errno.ENOMEM;
  return errno === Errno.ENOMEM ? Errno.EAGAIN : errno;
}
