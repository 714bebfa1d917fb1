/** fork: a child process with a copy of every area, whose pages parent and child share until one of them writes. */

import { Errno } from '../../base/errno.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { Vma, VmFlag } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import { forkAnonVma } from '../rmap/anonVmaLinks.js';
import type { CopyPageRange } from './copyPageRange.js';
import type { ExitMm } from './exitMm.js';
import { Mm } from './mm.js';

export const ForkStep = {
  /** The parent, and the child to be. */
  fork: defineStep('mm.fork', 'id', 'id'),
  /** One area and its entries have been copied. */
  area: defineStep('fork.area', 'vpn', 'npages', 'id', 'id'),
  done: defineStep('fork.done', 'id', 'id', 'errno'),
} as const;

/** Address spaces that may exist at a time. @kernel pid_max */
export const MMS_MAX = 4096;

/** Flags that a child's area does not inherit. @kernel VM_LOCKED_MASK, dup_userfaultfd */
const NOT_INHERITED = VmFlag.Locked | VmFlag.UffdMissing;

export class Fork {
  constructor(
    private readonly kernel: Kernel,
    private readonly copier: CopyPageRange,
    private readonly exit: ExitMm,
  ) {}

  /**
   * Makes address space `childId`, with one user. Errors: -ENOMEM when memory for areas, page tables or pages of pinned memory ran out, or
   * somebody has a page locked that a device has to itself; the child is gone then, and the parent has lost nothing but write permissions,
   * which its next stores bring back. -EAGAIN with too many processes. The parent's mirrors see PROTECTION_PAGE for each area with pages that are copied on write; the child has none. Takes mmap_lock
   * of the parent for write.
   * @kernel dup_mm
   */
  *fork(parent: Mm, childId: number): Steps<Mm | typeof Errno.ENOMEM | typeof Errno.EAGAIN> {
    const { kernel } = this;
    const { sched, costs } = kernel;
    if (sched.reach(ForkStep.fork, parent.id, childId)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    if (kernel.mms.size >= MMS_MAX) return Errno.EAGAIN;
    if (kernel.allocationFails(AllocSite.Mm) || kernel.tables.freeTables === 0) return Errno.ENOMEM;
    const child = new Mm(kernel, childId);
    const errno = yield* this.copyAreas(parent, child);
    sched.at(ForkStep.done, parent.id, childId, errno);
    if (errno === Errno.OK) return child;
    yield* this.exit.mmput(child);
    return Errno.ENOMEM;
  }

  /** The child's own mmap_lock is not taken: nobody knows of it yet but the reverse map, which takes none. @kernel dup_mmap */
  private *copyAreas(parent: Mm, child: Mm): Steps<Errno> {
    const { sched } = this.kernel;
    yield* parent.mmapLock.write();
    child.brkStart = parent.brkStart;
    child.brkEnd = parent.brkEnd;
    let errno: Errno = Errno.OK;
    let needsFlush = false;
    for (const from of parent.vmas) {
      if ((from.flags & VmFlag.DontCopy) !== 0) continue;
      const to = this.copyArea(child, from);
      if (to === null) {
        errno = Errno.ENOMEM;
        break;
      }
      const copied = yield* this.copier.copy({ parent, child, from, to });
      // When memory ran out, entries may have been write-protected before.
      if (copied !== false) needsFlush = true;
      if (copied === Errno.ENOMEM) {
        errno = Errno.ENOMEM;
        break;
      }
      if (sched.reach(ForkStep.area, from.start, from.pages, parent.id, child.id)) yield STEP;
    }
    if (needsFlush) {
      this.kernel.flushCpuTlbs();
      yield* sched.settle();
    }
    parent.mmapLock.writeUnlock();
    return errno;
  }

  /** Null without memory. @kernel vm_area_dup, anon_vma_fork */
  private copyArea(child: Mm, from: Vma): Vma | null {
    const { kernel } = this;
    if (kernel.allocationFails(AllocSite.Area)) return null;
    if (from.anonVma !== null && kernel.allocationFails(AllocSite.AnonVma)) return null;
    const to = new Vma(from.start, from.end, from.flags & ~NOT_INHERITED, from.pgoff, from.file);
    child.vmas.insert(to);
    forkAnonVma(kernel, child, to, from);
    to.file?.get();
    to.file?.mapping.link(child, to);
    return to;
  }
}
