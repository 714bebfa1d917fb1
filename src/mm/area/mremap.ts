/** mremap: growing, shrinking and moving mapped memory. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { alignUp, PMD_PAGES, TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import type { MovePageTables } from '../table/movePageTables.js';
import { isFailure, type PageOrErrno } from '../table/pageResult.js';
import type { Mlock } from './mlock.js';
import { checkFixedArea, getUnmappedArea, MAP_COUNT_MAX } from './unmappedArea.js';
import type { UnmapRegion } from './unmapRegion.js';
import { type Vma, VmFlag } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const MremapStep = {
  mremap: defineStep('mm.mremap', 'vpn', 'npages', 'npages', 'id'),
  /** From, and to; on an error both are the old place. */
  done: defineStep('mremap.done', 'vpn', 'vpn', 'npages', 'errno'),
} as const;

/** What a remapping may do. */
export const MremapFlag = {
  /** @kernel MREMAP_MAYMOVE */
  MayMove: 1,
  /** To `target`, replacing what is mapped there. @kernel MREMAP_FIXED */
  Fixed: 2,
  /** The old range stays mapped, empty. @kernel MREMAP_DONTUNMAP */
  DontUnmap: 4,
} as const;

const KNOWN_FLAGS = MremapFlag.MayMove | MremapFlag.Fixed | MremapFlag.DontUnmap;
/** Areas that a move may add before it takes some away. */
const MOVE_HEADROOM = 3;

export interface MremapArgs {
  readonly from: Vpn;
  readonly fromPages: number;
  readonly toPages: number;
  /** Of {@link MremapFlag}. */
  readonly flags: number;
  /** With Fixed the place, with DontUnmap alone a hint; otherwise ignored. */
  readonly target: Vpn;
}

/** A span that stays of the same size or grows while it moves. */
interface Move {
  readonly from: Vpn;
  readonly fromPages: number;
  readonly to: Vpn;
  readonly toPages: number;
  readonly dontUnmap: boolean;
}

export class Mremap {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    private readonly unmapRegion: UnmapRegion,
    private readonly tables: MovePageTables,
    /** Fills locked areas; null where nobody asks for them. */
    private readonly mlock: Mlock | null = null,
  ) {}

  /**
   * Returns the first page of the mapping afterwards. Errors: -EINVAL for arguments that make no sense, an old end beyond the address space, -EFAULT when the pages that are kept do
   * not lie in one area, -ENOMEM when it cannot grow in place and may not move, or when areas, address space or page tables run out, -EPERM
   * for a target below vm.mmap_min_addr. No old pages at all duplicate a shared mapping. Takes mmap_lock for write.
   * @kernel sys_mremap
   */
  *mremap(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MremapStep.mremap, args.from, args.fromPages, args.toPages, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    const result: PageOrErrno = flagsAreValid(args) ? yield* this.remap(mm, args) : Errno.EINVAL;
    const failed = isFailure(result);
    sched.at(
      MremapStep.done,
      args.from,
      failed ? args.from : result,
      args.toPages,
      failed ? result : Errno.OK,
    );
    return result;
  }

  private *remap(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    yield* mm.mmapLock.write();
    const area = mm.vmas.find(args.from);
    if (area?.isHugetlb === true) return yield* this.remapHugetlb(mm, args);
    const isMapped = area !== null;
    const isShrink = args.fromPages > args.toPages && !impliesNewAddress(args);
    if (isMapped && isShrink) return yield* this.shrinkAndUnlock(mm, args);
    const result = isMapped ? yield* this.remapLocked(mm, args) : Errno.EFAULT;
    const isLocked = !isFailure(result) && (this.areaOf(mm, result).flags & VmFlag.Locked) !== 0;
    mm.mmapLock.writeUnlock();
    // Like the kernel it does not matter to the caller if that fails.
    if (isLocked && args.toPages > args.fromPages && this.mlock !== null)
      yield* this.mlock.populate(mm, (result + args.fromPages) as Vpn, (result + args.toPages) as Vpn);
    return result;
  }

  /** Moves of huge pages are by whole ones, and never grow. @kernel sys_mremap (is_vm_hugetlb_page) */
  private *remapHugetlb(mm: Mm, wanted: MremapArgs): Steps<PageOrErrno> {
    const fromPages = alignUp(wanted.fromPages, PMD_PAGES);
    const toPages = alignUp(wanted.toPages, PMD_PAGES);
    const aligned = wanted.from % PMD_PAGES === 0 && wanted.target % PMD_PAGES === 0;
    const args = { ...wanted, fromPages, toPages };
    if (aligned && toPages < fromPages && !impliesNewAddress(args))
      return yield* this.shrinkAndUnlock(mm, args);
    const result = aligned && toPages <= fromPages ? yield* this.remapLocked(mm, args) : Errno.EINVAL;
    mm.mmapLock.writeUnlock();
    return result;
  }

  private *remapLocked(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    if (impliesNewAddress(args)) return yield* this.remapTo(mm, args);
    return args.fromPages === args.toPages ? args.from : yield* this.expand(mm, args);
  }

  /** To a fixed target, or with DONTUNMAP to anywhere. What was done before an error stays done. @kernel mremap_to */
  private *remapTo(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { from, toPages, target, flags } = args;
    if (!targetIsValid(args)) return Errno.EINVAL;
    // Refused before anything is unmapped, since the move might have to give up half-way.
    if (mm.vmas.size + 2 >= MAP_COUNT_MAX - MOVE_HEADROOM) return Errno.ENOMEM;
    const isFixed = (flags & MremapFlag.Fixed) !== 0;
    const cleared = yield* this.clearForMove(mm, args, isFixed);
    if (cleared !== Errno.OK) return cleared;
    const fromPages = Math.min(args.fromPages, toPages);
    const dontUnmap = (flags & MremapFlag.DontUnmap) !== 0;
    if (dontUnmap && this.areaOf(mm, from).isHugetlb) return Errno.EINVAL;
    const errno = this.checkSource(mm, from, fromPages, toPages);
    if (errno !== Errno.OK) return errno;
    const to = isFixed ? fixedTarget(target, toPages) : getUnmappedArea(mm, target, toPages);
    if (isFailure(to)) return to;
    return yield* this.moveArea(mm, { from, fromPages, to, toPages, dontUnmap });
  }

  /** Unmaps what is in the way, and what the mapping is to lose. */
  private *clearForMove(
    mm: Mm,
    { from, fromPages, toPages, target }: MremapArgs,
    isFixed: boolean,
  ): Steps<Errno> {
    if (isFixed) {
      const errno = yield* this.unmapRegion.unmap(mm, target, (target + toPages) as Vpn);
      if (errno !== Errno.OK) return errno;
    }
    if (fromPages <= toPages) return Errno.OK;
    return yield* this.unmapRegion.unmap(mm, (from + toPages) as Vpn, (from + fromPages) as Vpn);
  }

  /** Neither what stays nor what goes needs to lie in one area; the lock is downgraded while entries are cleared. @kernel do_vmi_munmap */
  private *shrinkAndUnlock(mm: Mm, { from, fromPages, toPages }: MremapArgs): Steps<PageOrErrno> {
    const start = (from + toPages) as Vpn;
    const unmapped = yield* this.unmapRegion.unmapAndUnlock(mm, start, (from + fromPages) as Vpn);
    return unmapped === Errno.OK ? from : unmapped;
  }

  private *expand(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { from, fromPages, toPages } = args;
    const errno = this.checkSource(mm, from, fromPages, toPages);
    if (errno !== Errno.OK) return errno;
    const vma = this.areaOf(mm, from);
    const growth = toPages - fromPages;
    if (from + fromPages === vma.end && isExpandable(mm, vma, growth)) {
      return this.edit.extend(mm, vma, growth) ? from : Errno.ENOMEM;
    }
    if ((args.flags & MremapFlag.MayMove) === 0) return Errno.ENOMEM;
    const to = getUnmappedArea(mm, 0 as Vpn, toPages);
    if (isFailure(to)) return to;
    return yield* this.moveArea(mm, { from, fromPages, to, toPages, dontUnmap: false });
  }

  /**
   * Makes the new area, moves the entries, removes the old area. When page tables run out the entries move back and the new area goes.
   * @kernel move_vma
   */
  private *moveArea(mm: Mm, move: Move): Steps<PageOrErrno> {
    if (mm.vmas.size >= MAP_COUNT_MAX - MOVE_HEADROOM || !this.edit.reserve(1)) return Errno.ENOMEM;
    if (!this.cutOutHugePages(mm, move)) return Errno.ENOMEM;
    const { from, fromPages, to, toPages } = move;
    this.copyArea(mm, move);
    const moved = yield* this.tables.move(mm, from, to, fromPages);
    if (moved < fromPages) {
      const back = yield* this.tables.move(mm, to, from, moved);
      assert(back === moved, 'the old page tables are gone while mremap needs them back');
      // The old area keeps its promises. @kernel clear_vma_resv_huge_pages
      this.areaOf(mm, to).reservation = null;
      yield* this.unmapRegion.unmap(mm, to, (to + toPages) as Vpn);
      return Errno.ENOMEM;
    }
    this.handOverHugePages(mm, move);
    // The handler has not asked to hear of moves. @kernel mremap_userfaultfd_prep
    this.areaOf(mm, to).flags &= ~VmFlag.UffdMissing;
    if (move.dontUnmap) this.keepOldArea(mm, move);
    else yield* this.unmapOld(mm, move);
    return to;
  }

  /** Pages that carry an offset keep it; anonymous memory without any starts afresh, and merges better. @kernel copy_vma */
  private copyArea(mm: Mm, { from, to, toPages }: Move): void {
    const source = this.areaOf(mm, from);
    const { flags, file } = source;
    const pgoff = source.isAnonymous && source.anonVma === null ? to : source.indexOf(from);
    this.edit.place(mm, { start: to, end: (to + toPages) as Vpn, flags, pgoff, file, source });
  }

  /**
   * No page is mapped there any more, so a wholly moved area leaves the reverse map; none of the area, moved in part or wholly, stays locked.
   * @kernel move_vma (MREMAP_DONTUNMAP)
   */
  private keepOldArea(mm: Mm, { from, fromPages, to }: Move): void {
    const old = this.areaOf(mm, from);
    old.flags &= ~VmFlag.Locked;
    const isNew = old.start <= to && to < old.end;
    if (!isNew && old.start === from && old.pages === fromPages) this.edit.leaveAnonVma(old);
  }

  /** Of an area with promised pages the part that moves becomes one of its own; false when there is no memory for that, and it is whole then. */
  private cutOutHugePages(mm: Mm, { from, fromPages }: Move): boolean {
    const old = this.areaOf(mm, from);
    if (old.reservation === null || fromPages === 0) return true;
    const end = (from + fromPages) as Vpn;
    if (!this.edit.reserve((old.start < from ? 1 : 0) + (end < old.end ? 1 : 0))) return false;
    const piece = old.start < from ? this.edit.split(mm, old, from) : old;
    if (end < piece.end) this.edit.split(mm, piece, end);
    return true;
  }

  /** What was promised to the old place is the new one's: the area that is about to go must not give it up. @kernel clear_vma_resv_huge_pages */
  private handOverHugePages(mm: Mm, { from, fromPages }: Move): void {
    if (fromPages > 0) this.areaOf(mm, from).reservation = null;
  }

  /** Raises UNMAP over the old range once more, as any munmap does. -ENOMEM leaves the area mapped and empty. @kernel move_vma (do_vmi_munmap) */
  private *unmapOld(mm: Mm, { from, fromPages }: Move): Steps<void> {
    if (fromPages > 0) yield* this.unmapRegion.unmap(mm, from, (from + fromPages) as Vpn);
  }

  /** The pages that are kept must lie in one area. Without any, a shared mapping is duplicated. @kernel vma_to_resize */
  private checkSource(mm: Mm, from: Vpn, fromPages: number, toPages: number): Errno {
    const vma = mm.vmas.find(from);
    if (vma === null) return Errno.EFAULT;
    if (fromPages === 0 && (vma.flags & (VmFlag.Shared | VmFlag.MayShare)) === 0) return Errno.EINVAL;
    if (fromPages > vma.end - from) return Errno.EFAULT;
    return toPages <= TASK_SIZE_PAGES ? Errno.OK : Errno.ENOMEM;
  }

  private areaOf(mm: Mm, page: Vpn): Vma {
    const vma = mm.vmas.find(page);
    assert(vma !== null, 'the area that mremap works on is gone');
    return vma;
  }
}

/** What the call refuses before it looks at the address space. @kernel sys_mremap */
function flagsAreValid({ fromPages, toPages, flags }: MremapArgs): boolean {
  if ((flags & ~KNOWN_FLAGS) !== 0 || toPages <= 0) return false;
  const mayMove = (flags & MremapFlag.MayMove) !== 0;
  if ((flags & MremapFlag.Fixed) !== 0 && !mayMove) return false;
  return (flags & MremapFlag.DontUnmap) === 0 || (mayMove && fromPages === toPages);
}

/** The target lies in the address space, and apart from the source. @kernel mremap_to */
function targetIsValid({ from, fromPages, toPages, target }: MremapArgs): boolean {
  if (toPages > TASK_SIZE_PAGES || target > TASK_SIZE_PAGES - toPages) return false;
  return from + fromPages <= target || target + toPages <= from;
}

function impliesNewAddress({ flags }: MremapArgs): boolean {
  return (flags & (MremapFlag.Fixed | MremapFlag.DontUnmap)) !== 0;
}

/** @kernel vma_expandable */
function isExpandable(mm: Mm, vma: Vma, npages: number): boolean {
  const end = (vma.end + npages) as Vpn;
  return end <= TASK_SIZE_PAGES && mm.vmas.firstIn(vma.end, end) === null;
}

function fixedTarget(target: Vpn, npages: number): PageOrErrno {
  const errno = checkFixedArea(target, npages);
  return errno === Errno.OK ? target : errno;
}
