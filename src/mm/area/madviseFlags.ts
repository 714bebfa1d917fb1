/** The advice that lasts: flags of areas, which are split and merged for it. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { Steps } from '../../sim/steps.js';
import { splitHugePmdsAcross } from '../huge/hugeLeaf.js';
import { cutsHugetlbArea, cutUpToHugePage } from '../hugetlb/hugetlbArea.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { type Vma, VmFlag } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

/** What an advice sets and clears in an area. */
export interface FlagChange {
  readonly set: number;
  readonly clear: number;
}

/** @kernel hugepage_madvise, madvise_vma_behavior */
export const FLAG_CHANGES = {
  hugePage: { set: VmFlag.HugePage, clear: VmFlag.NoHugePage },
  noHugePage: { set: VmFlag.NoHugePage, clear: VmFlag.HugePage },
  dontFork: { set: VmFlag.DontCopy, clear: 0 },
  doFork: { set: 0, clear: VmFlag.DontCopy },
} as const satisfies Readonly<Record<string, FlagChange>>;

export class MadviseFlags {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
  ) {}

  /** `[start, end)` lies in the area; mmap_lock is held for write. Errors: -EINVAL for a cut through a hugetlb page, -EAGAIN when there is no memory for more areas. @kernel madvise_update_vma */
  *apply(mm: Mm, vma: Vma, start: Vpn, end: Vpn, change: FlagChange): Steps<Errno> {
    mm.mmapLock.assertHeldForWrite();
    const flags = (vma.flags & ~change.clear) | change.set;
    if (flags === vma.flags) return Errno.OK;
    if (cutsHugetlbArea(vma, start, end)) return madviseErrno(cutUpToHugePage(this.edit, mm, start));
    yield* splitHugePmdsAcross(this.kernel, mm, start, end);
    const area = this.edit.modifyFlags(mm, vma, start, end, flags);
    return area === Errno.ENOMEM ? madviseErrno(area) : Errno.OK;
  }
}

/** @kernel madvise_vma_behavior */
function madviseErrno(errno: Errno): Errno {
  return errno === Errno.ENOMEM ? Errno.EAGAIN : errno;
}
