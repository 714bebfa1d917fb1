/** mremap: growing, shrinking and moving mapped memory. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../base/units.js';
import { defineStep, STEP, type Steps } from '../sim/steps.js';
import type { Kernel } from './kernel.js';
import type { Mm } from './mm.js';
import type { MovePageTables } from './movePageTables.js';
import { isFailure, type PageOrErrno } from './pageResult.js';
import { checkFixedArea, getUnmappedArea, MAP_COUNT_MAX } from './unmappedArea.js';
import type { UnmapRegion } from './unmapRegion.js';
import type { Vma } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const MremapStep = {
  mremap: defineStep('mm.mremap', 'vpn', 'npages', 'npages', 'id'),
  /** From, and to; on an error both are the old place. */
  done: defineStep('mremap.done', 'vpn', 'vpn', 'npages', 'errno'),
} as const;

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
  ) {}

  /**
   * Returns the first page of the mapping afterwards. Errors: -EINVAL for arguments that make no sense, -EFAULT when the old range is not
   * within one area, -ENOMEM when it cannot grow in place and may not move, or when areas, address space or page tables run out, -EPERM
   * for a target below vm.mmap_min_addr. Takes mmap_lock for write. Only a move of the same size to a fixed target may span areas and holes
   * (Linux 6.17); it stops at the first error, leaving what has moved.
   * @kernel do_mremap
   */
  *mremap(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MremapStep.mremap, args.from, args.fromPages, args.toPages, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    const invalid = checkParameters(args);
    const result: PageOrErrno = invalid === Errno.OK ? yield* this.remap(mm, args) : invalid;
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
    const isShrink = args.fromPages > args.toPages && !impliesNewAddress(args);
    if (isShrink && this.hasHeadroom(mm)) return yield* this.shrinkAndUnlock(mm, args);
    const result = this.hasHeadroom(mm) ? yield* this.remapLocked(mm, args) : Errno.ENOMEM;
    mm.mmapLock.writeUnlock();
    return result;
  }

  private *remapLocked(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const sameSize = args.fromPages === args.toPages;
    if ((args.flags & MremapFlag.Fixed) !== 0 && sameSize) return yield* this.moveAreas(mm, args);
    const errno = this.checkSource(mm, args);
    if (errno !== Errno.OK) return errno;
    if (impliesNewAddress(args)) return yield* this.remapTo(mm, args);
    return sameSize ? args.from : yield* this.expand(mm, args);
  }

  /** Refuses before anything is unmapped what a move might have to give up half-way. @kernel check_map_count_against_split_early */
  private hasHeadroom(mm: Mm): boolean {
    return mm.vmas.size + 2 < MAP_COUNT_MAX - MOVE_HEADROOM;
  }

  /** Each area, or part of one, keeps its distance to the next one. @kernel remap_move */
  private *moveAreas(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const end = (args.from + args.fromPages) as Vpn;
    if (mm.vmas.find(args.from) === null) return Errno.EFAULT;
    let at = args.from;
    for (let vma = mm.vmas.firstIn(at, end); vma !== null; vma = at < end ? mm.vmas.firstIn(at, end) : null) {
      const from = Math.max(vma.start, at) as Vpn;
      const npages = Math.min(vma.end, end) - from;
      const target = (args.target + (from - args.from)) as Vpn;
      const piece = { from, fromPages: npages, toPages: npages, flags: args.flags, target };
      const moved = yield* this.remapTo(mm, piece);
      if (isFailure(moved)) return moved;
      at = (from + npages) as Vpn;
    }
    return args.target;
  }

  /** The source has been checked. To a fixed target, or with DONTUNMAP to anywhere. @kernel mremap_to */
  private *remapTo(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { from, toPages, target, flags } = args;
    const isFixed = (flags & MremapFlag.Fixed) !== 0;
    if (isFixed) {
      const errno = yield* this.unmapRegion.unmap(mm, target, (target + toPages) as Vpn);
      if (errno !== Errno.OK) return errno;
    }
    if (args.fromPages > toPages) {
      const errno = yield* this.unmapRegion.unmap(
        mm,
        (from + toPages) as Vpn,
        (from + args.fromPages) as Vpn,
      );
      if (errno !== Errno.OK) return errno;
    }
    const to = isFixed ? fixedTarget(target, toPages) : getUnmappedArea(mm, target, toPages);
    if (isFailure(to)) return to;
    const fromPages = Math.min(args.fromPages, toPages);
    return yield* this.moveArea(mm, {
      from,
      fromPages,
      to,
      toPages,
      dontUnmap: (flags & MremapFlag.DontUnmap) !== 0,
    });
  }

  /** The part that goes may reach into other areas; the lock is downgraded while it is emptied. @kernel shrink_vma */
  private *shrinkAndUnlock(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const errno = this.checkSource(mm, args);
    if (errno !== Errno.OK) {
      mm.mmapLock.writeUnlock();
      return errno;
    }
    const start = (args.from + args.toPages) as Vpn;
    const unmapped = yield* this.unmapRegion.unmapAndUnlock(mm, start, (args.from + args.fromPages) as Vpn);
    return unmapped === Errno.OK ? args.from : unmapped;
  }

  /** @kernel expand_vma */
  private *expand(mm: Mm, args: MremapArgs): Steps<PageOrErrno> {
    const { from, fromPages, toPages } = args;
    if (this.expandInPlace(mm, from, fromPages, toPages)) return from;
    if ((args.flags & MremapFlag.MayMove) === 0) return Errno.ENOMEM;
    const to = getUnmappedArea(mm, 0 as Vpn, toPages);
    if (isFailure(to)) return to;
    return yield* this.moveArea(mm, { from, fromPages, to, toPages, dontUnmap: false });
  }

  /** Only the end of an area can grow, into free space. @kernel vrm_can_expand_in_place, vma_merge_extend */
  private expandInPlace(mm: Mm, from: Vpn, fromPages: number, toPages: number): boolean {
    const vma = this.areaOf(mm, from);
    const end = (from + toPages) as Vpn;
    if (from + fromPages !== vma.end || end > TASK_SIZE_PAGES) return false;
    if (mm.vmas.firstIn(vma.end, end) !== null) return false;
    mm.vmas.resize(vma, vma.start, end, vma.pgoff);
    this.edit.mergeAround(mm, vma);
    return true;
  }

  /**
   * Makes the new area, moves the entries, removes the old area. When page tables run out the entries move back and the new area goes.
   * @kernel move_vma
   */
  private *moveArea(mm: Mm, move: Move): Steps<PageOrErrno> {
    if (mm.vmas.size >= MAP_COUNT_MAX - MOVE_HEADROOM || !this.edit.reserve(1)) return Errno.ENOMEM;
    const { from, fromPages, to, toPages } = move;
    this.copyArea(mm, move);
    const moved = yield* this.tables.move(mm, from, to, fromPages);
    if (moved < fromPages) {
      const back = yield* this.tables.move(mm, to, from, moved);
      assert(back === moved, 'the old page tables are gone while mremap needs them back');
      yield* this.unmapRegion.unmap(mm, to, (to + toPages) as Vpn);
      return Errno.ENOMEM;
    }
    if (move.dontUnmap) this.keepOldArea(mm, move);
    else yield* this.unmapOld(mm, move);
    return to;
  }

  /** Pages that carry an offset keep it; an area without any starts afresh, and merges better. @kernel copy_vma */
  private copyArea(mm: Mm, { from, to, toPages }: Move): void {
    const vma = this.areaOf(mm, from);
    const pgoff = vma.anonVma === null ? to : vma.indexOf(from);
    this.edit.place(mm, to, (to + toPages) as Vpn, vma.flags, pgoff, vma);
  }

  /** No page is mapped there any more, so a wholly moved area leaves the reverse map. @kernel dontunmap_complete */
  private keepOldArea(mm: Mm, { from, fromPages }: Move): void {
    const old = this.areaOf(mm, from);
    if (old.start === from && old.pages === fromPages) this.edit.leaveAnonVma(old);
  }

  /** Raises UNMAP over the old range once more, as any munmap does. -ENOMEM leaves the area mapped and empty. @kernel unmap_source_vma */
  private *unmapOld(mm: Mm, { from, fromPages }: Move): Steps<void> {
    yield* this.unmapRegion.unmap(mm, from, (from + fromPages) as Vpn);
  }

  /** The pages that are kept must lie in one area; what a shrink cuts off need not. @kernel check_prep_vma */
  private checkSource(mm: Mm, { from, fromPages, toPages }: MremapArgs): Errno {
    const vma = mm.vmas.find(from);
    if (vma === null) return Errno.EFAULT;
    if (fromPages === 0) return Errno.EINVAL;
    return Math.min(fromPages, toPages) > vma.end - from ? Errno.EFAULT : Errno.OK;
  }

  private areaOf(mm: Mm, page: Vpn): Vma {
    const vma = mm.vmas.find(page);
    assert(vma !== null, 'the area that mremap works on is gone');
    return vma;
  }
}

/** @kernel check_mremap_params */
function checkParameters(args: MremapArgs): Errno {
  const { from, fromPages, toPages, flags, target } = args;
  if ((flags & ~KNOWN_FLAGS) !== 0 || toPages <= 0 || toPages > TASK_SIZE_PAGES) return Errno.EINVAL;
  if (!impliesNewAddress(args)) return Errno.OK;
  if (target > TASK_SIZE_PAGES - toPages || (flags & MremapFlag.MayMove) === 0) return Errno.EINVAL;
  if ((flags & MremapFlag.DontUnmap) !== 0 && fromPages !== toPages) return Errno.EINVAL;
  const overlaps = from + fromPages > target && target + toPages > from;
  return overlaps ? Errno.EINVAL : Errno.OK;
}

/** @kernel vrm_implies_new_addr */
function impliesNewAddress({ flags }: MremapArgs): boolean {
  return (flags & (MremapFlag.Fixed | MremapFlag.DontUnmap)) !== 0;
}

function fixedTarget(target: Vpn, npages: number): PageOrErrno {
  const errno = checkFixedArea(target, npages);
  return errno === Errno.OK ? target : errno;
}
