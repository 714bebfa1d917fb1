/** madvise: hints on the use of memory, of which the ones that throw pages away are real. */

import { Errno } from '../../base/errno.js';
import { alignDown, PMD_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Collapse } from '../huge/collapse.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import type { Zap } from '../table/zap.js';
import { FLAG_CHANGES, type FlagChange, type MadviseFlags } from './madviseFlags.js';
import type { MadviseFree } from './madviseFree.js';
import type { MadvisePageOut } from './madvisePageOut.js';
import { type Vma, VmFlag } from './vma.js';

export const MadviseStep = {
  madvise: defineStep('mm.madvise', 'vpn', 'npages', 'flags', 'id'),
  done: defineStep('madvise.done', 'vpn', 'npages', 'errno', 'id'),
} as const;

/** @kernel MADV_DONTNEED, MADV_FREE */
export const Madvise = {
  /** The entries are gone: the next access sees zeros, or the file. */
  DontNeed: 0,
  /** The pages may go when memory is short; a write takes them back. */
  Free: 1,
  /** Any advice that changes nothing here (access pattern, core dumps): only the range is checked. */
  Hint: 2,
  /** Whole PMDs may be huge pages from now on. @kernel MADV_HUGEPAGE */
  HugePage: 3,
  /** @kernel MADV_NOHUGEPAGE */
  NoHugePage: 4,
  /** Small pages become huge ones, now. @kernel MADV_COLLAPSE */
  Collapse: 5,
  /** A child does not get these areas. @kernel MADV_DONTFORK */
  DontFork: 6,
  /** @kernel MADV_DOFORK */
  DoFork: 7,
  /** The pages leave memory now. @kernel MADV_PAGEOUT */
  PageOut: 8,
} as const;
export type Madvise = (typeof Madvise)[keyof typeof Madvise];

export class MadviseCall {
  constructor(
    private readonly kernel: Kernel,
    private readonly zap: Zap,
    private readonly free: MadviseFree,
    private readonly pageOut: MadvisePageOut,
    private readonly collapse: Collapse,
    private readonly flags: MadviseFlags,
  ) {}

  /**
   * Applies the advice to every mapped part of the range. Errors: -EINVAL for a negative length, for locked areas, and for FREE of what is not
   * anonymous; -ENOMEM when part of the range is not mapped, after all that is mapped was served; what {@link Collapse} says; -EAGAIN where
   * areas would have to be split and cannot. Takes mmap_lock, for write if the advice lasts.
   * @kernel do_madvise
   */
  *madvise(mm: Mm, start: Vpn, npages: number, advice: Madvise): Steps<Errno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MadviseStep.madvise, start, npages, advice, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    let errno: Errno = npages < 0 ? Errno.EINVAL : Errno.OK;
    if (npages > 0) {
      errno = yield* this.adviseLocked(mm, start, (start + npages) as Vpn, advice);
    }
    sched.at(MadviseStep.done, start, npages, errno, mm.id);
    return errno;
  }

  private *adviseLocked(mm: Mm, start: Vpn, end: Vpn, advice: Madvise): Steps<Errno> {
    const lasts = flagChange(advice) !== null;
    yield* lasts ? mm.mmapLock.write() : mm.mmapLock.read();
    const errno = yield* this.walkAreas(mm, start, end, advice);
    if (lasts) mm.mmapLock.writeUnlock();
    else mm.mmapLock.readUnlock();
    return errno;
  }

  /** One area's part of the range. @kernel madvise_vma_behavior */
  private *adviseArea(mm: Mm, vma: Vma, start: Vpn, end: Vpn, advice: Madvise): Steps<Errno> {
    const change = flagChange(advice);
    if (change !== null) return yield* this.flags.apply(mm, vma, start, end, change);
    if (advice === Madvise.Collapse) return yield* this.collapse.collapse(mm, vma, start, end);
    if (advice === Madvise.Hint) return Errno.OK;
    if (advice === Madvise.PageOut) return yield* this.pageOutArea(mm, vma, start, end);
    if (!allowsZap(vma, start, advice)) return Errno.EINVAL;
    // Rounding down never loses what the caller did not mention.
    const last = vma.isHugetlb ? (alignDown(end, PMD_PAGES) as Vpn) : end;
    if (start < last) yield* this.adviseSpan(mm, start, last, advice);
    return Errno.OK;
  }

  /** @kernel madvise_pageout */
  private *pageOutArea(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Steps<Errno> {
    if ((vma.flags & VmFlag.Locked) !== 0 || vma.isHugetlb) return Errno.EINVAL;
    yield* this.pageOut.pageOut(mm, start, end);
    return Errno.OK;
  }

  /** @kernel madvise_walk_vmas */
  private *walkAreas(mm: Mm, start: Vpn, end: Vpn, advice: Madvise): Steps<Errno> {
    let errno: Errno = Errno.OK;
    let at = start;
    while (at < end) {
      const vma = mm.vmas.firstIn(at, end);
      if (vma === null) return Errno.ENOMEM;
      if (vma.start > at) errno = Errno.ENOMEM;
      const from = Math.max(at, vma.start) as Vpn;
      at = Math.min(end, vma.end) as Vpn;
      const refused = yield* this.adviseArea(mm, vma, from, at, advice);
      if (refused !== Errno.OK) return refused;
    }
    return errno;
  }

  /** One CLEAR invalidation per area. @kernel zap_page_range_single, madvise_free_single_vma */
  private *adviseSpan(mm: Mm, start: Vpn, end: Vpn, advice: Madvise): Steps<void> {
    const range = notifierRange(NotifyEvent.Clear, start, end);
    yield* mm.notifiers.invalidateStart(range);
    if (advice === Madvise.Free) yield* this.free.mark(mm, start, end);
    else yield* this.zap.zapRange(mm, start, end);
    yield* mm.notifiers.invalidateEnd(range);
  }
}

/** @kernel madvise_dontneed_free_valid_vma, madvise_free_single_vma */
function allowsZap(vma: Vma, start: Vpn, advice: Madvise): boolean {
  if (vma.isHugetlb) return advice === Madvise.DontNeed && start % PMD_PAGES === 0;
  if ((vma.flags & VmFlag.Locked) !== 0) return false;
  return advice !== Madvise.Free || vma.isAnonymous;
}

/** What an advice that lasts does to an area's flags; null for the others. */
function flagChange(advice: Madvise): FlagChange | null {
  switch (advice) {
    case Madvise.HugePage:
      return FLAG_CHANGES.hugePage;
    case Madvise.NoHugePage:
      return FLAG_CHANGES.noHugePage;
    case Madvise.DontFork:
      return FLAG_CHANGES.dontFork;
    case Madvise.DoFork:
      return FLAG_CHANGES.doFork;
    default:
      return null;
  }
}
