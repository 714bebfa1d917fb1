/** How a mirror device learns translations: range faults and snapshots, repeated until no invalidation came between. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn } from '../../memory/pfn.js';
import type { Hmm, HmmRange } from '../../mm/mirror/hmm.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import type { Steps } from '../../sim/steps.js';
import { MirrorStep } from './mirrorStep.js';
import { MirrorTag } from './mirrorTable.js';
import type { MirrorView } from './mirrorView.js';
import type { MmUsers } from './mmUsers.js';

/** Pages that one range fault handles. @kernel dmirror_fault */
export const PIECE_PAGES = 64;

/** @kernel HMM_RANGE_DEFAULT_TIMEOUT */
const TIMEOUT_NS = 1_000_000_000;

/** Modelled time until a round that an invalidation spoilt begins again, so that the time-out comes also where nothing else takes time. */
const RETRY_NS = 1_000;

/** What a device needs of the pages that it faults in. */
export interface MirrorRequest {
  readonly write: boolean;
  /** The fault may let go of mmap_lock, so that a handler in user space, or whoever has the page locked, gets on. */
  readonly mayDropLock: boolean;
}

/** A look at `[start, end)`, at most one piece, through some notifier of the view's address space. */
export interface MirrorLook {
  readonly start: Vpn;
  readonly end: Vpn;
  readonly notifier: IntervalNotifier;
  /** Request flags: of `HmmPfnFlag`, 0 for a snapshot. */
  readonly flags: number;
  /** See {@link MirrorRequest}. */
  readonly mayDropLock: boolean;
  /** Filled: one hmm-pfn per page. */
  readonly pfns: Uint32Array;
}

export class MirrorFault {
  constructor(
    private readonly hmm: Hmm,
    private readonly users: MmUsers,
  ) {}

  /**
   * Puts every page of the span into the device page table, piece by piece. Errors: those of `look`, and -EFAULT where a store was asked for
   * but the page is the device's own and read-only; pages before it are in the table.
   * @kernel dmirror_fault
   */
  *fault(view: MirrorView, start: Vpn, end: Vpn, request: MirrorRequest): Steps<Errno> {
    const { mm } = view;
    // The kernel reports success here, with which its callers would try for ever.
    if (!mm.getNotZero()) return Errno.EFAULT;
    let errno: Errno = Errno.OK;
    for (let at: number = start; at < end && errno === Errno.OK; at += PIECE_PAGES) {
      const pieceEnd = Math.min(end, at + PIECE_PAGES);
      errno = yield* this.faultPiece(view, at as Vpn, pieceEnd as Vpn, request);
    }
    yield* this.users.mmput(mm);
    return errno;
  }

  /** @kernel dmirror_range_fault */
  private *faultPiece(
    view: MirrorView,
    start: Vpn,
    end: Vpn,
    { write, mayDropLock }: MirrorRequest,
  ): Steps<Errno> {
    const flags = HmmPfnFlag.REQ_FAULT | (write ? HmmPfnFlag.REQ_WRITE : 0);
    const pfns = new Uint32Array(end - start);
    const look: MirrorLook = { start, end, notifier: view.notifier, flags, mayDropLock, pfns };
    const lookErrno = yield* this.look(view, look);
    // To the kernel's HMM a fault without memory is a failed fault like any other.
    if (lookErrno !== Errno.OK) return lookErrno === Errno.ENOMEM ? Errno.EFAULT : lookErrno;
    const errno = install(view, look);
    view.device.kernel.sched.at(MirrorStep.faulted, start, end - start, view.device.index);
    view.mutex.unlock();
    return errno;
  }

  /**
   * On OK the view's mutex is held and nothing of the span was invalidated since it was read. Errors: those of `Hmm.rangeFault`, -EBUSY
   * after a second of invalidations.
   */
  *look(view: MirrorView, look: MirrorLook): Steps<Errno> {
    const { mutex, device } = view;
    const { sched } = device.kernel;
    let deadline = sched.now() + TIMEOUT_NS;
    while (sched.now() <= deadline) {
      const range = hmmRange(view, look);
      const errno = look.mayDropLock
        ? yield* this.hmm.rangeFaultUnlocked(range, TIMEOUT_NS)
        : yield* this.lookLocked(range);
      if (errno !== Errno.OK && errno !== Errno.EBUSY) return errno;
      // However long user space took, it is no invalidation.
      if (look.mayDropLock && errno === Errno.OK) deadline = Math.max(deadline, sched.now() + RETRY_NS);
      if (errno === Errno.OK) {
        yield* mutex.lock();
        if (!look.notifier.readRetry(range.notifierSeq)) return Errno.OK;
        mutex.unlock();
      }
      yield* sched.spend(RETRY_NS);
    }
    return Errno.EBUSY;
  }

  private *lookLocked(range: HmmRange): Steps<Errno> {
    const { mm, notifier } = range;
    range.notifierSeq = yield* mm.notifiers.readBegin(notifier);
    yield* mm.mmapLock.read();
    const errno = yield* this.hmm.rangeFault(range);
    mm.mmapLock.readUnlock();
    return errno;
  }
}

function hmmRange(view: MirrorView, look: MirrorLook): HmmRange {
  return {
    mm: view.mm,
    notifier: look.notifier,
    notifierSeq: 0,
    start: look.start,
    end: look.end,
    pfns: look.pfns,
    defaultFlags: look.flags,
    pfnFlagsMask: 0,
    devPrivateOwner: view.device.owner,
  };
}

/** HMM hands out the device's own page also where it may not be written; such a page ends the round. @kernel dmirror_do_fault */
function install(view: MirrorView, { start, end, flags, pfns }: MirrorLook): Errno {
  for (let i = 0; i < end - start; i++) {
    const entry = hmmPfnAt(pfns, i);
    const mayWrite = (entry & HmmPfnFlag.WRITE) !== 0;
    if (!mayWrite && (flags & HmmPfnFlag.REQ_WRITE) !== 0) return Errno.EFAULT;
    const tag = mayWrite ? MirrorTag.Write : MirrorTag.None;
    view.table.set((start + i) as Vpn, hmmPfnToPfn(entry), tag);
  }
  return Errno.OK;
}
