/** Taking areas out of an address space and emptying what they covered: the common core of munmap, MAP_FIXED, mremap, brk and exit. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, type Steps } from '../../sim/steps.js';
import { splitHugePmdsAcross } from '../huge/hugeLeaf.js';
import { cutsHugetlb, cutUpToHugePage } from '../hugetlb/hugetlbArea.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import type { Zap } from '../table/zap.js';
import { MAP_COUNT_MAX } from './unmappedArea.js';
import type { Vma } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const UnmapStep = {
  /** The areas are gone from the tree; their entries are still there. */
  detached: defineStep('unmap.detached', 'vpn', 'npages', 'count', 'id'),
} as const;

/** Areas that are out of the tree but not yet empty. @kernel vma_munmap_struct */
export interface DetachedRegion {
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly vmas: readonly Vma[];
  /** The neighbouring areas: page tables between them serve nobody else. */
  readonly floor: Vpn;
  readonly ceiling: Vpn;
}

export class UnmapRegion {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    private readonly zap: Zap,
  ) {}

  /**
   * Cuts the areas at the ends of `[start, end)` and takes what lies inside out of the tree. mmap_lock is held for write. Null when nothing
   * is mapped there. Error: -ENOMEM when a hole in the middle of an area would make one area too many, or without memory for a cut; nothing has
   * changed then, but that the cut at the start stays if that at the end fails.
   * @kernel vms_gather_munmap_vmas
   */
  detach(mm: Mm, start: Vpn, end: Vpn): DetachedRegion | typeof Errno.ENOMEM | null {
    mm.mmapLock.assertHeldForWrite();
    const first = mm.vmas.firstIn(start, end);
    if (first === null) return null;
    if (first.start < start && end < first.end && mm.vmas.size >= MAP_COUNT_MAX) return Errno.ENOMEM;
    if (first.start < start && !this.edit.reserve(1)) return Errno.ENOMEM;
    const vmas: Vma[] = [];
    let vma: Vma | null = first.start < start ? this.edit.split(mm, first, start) : first;
    while (vma !== null && vma.start < end) {
      if (vma.end > end) {
        if (!this.edit.reserve(1)) return Errno.ENOMEM;
        this.edit.split(mm, vma, end);
      }
      vmas.push(vma);
      vma = mm.vmas.next(vma);
    }
    const below = mm.vmas.previous(vmas[0]);
    for (const detached of vmas) mm.vmas.remove(detached);
    this.kernel.sched.at(UnmapStep.detached, start, end - start, vmas.length, mm.id);
    const floor = below?.end ?? (0 as Vpn);
    const ceiling = vma?.start ?? (TASK_SIZE_PAGES as Vpn);
    return { start, end, vmas, floor, ceiling };
  }

  /**
   * Empties a detached region inside one UNMAP invalidation, however many areas it had. mmap_lock is held, for read suffices since nobody can
   * find the areas any more; only then do they leave the reverse map.
   * @kernel vms_clear_ptes, unmap_vmas, free_pgtables
   */
  *clear(mm: Mm, region: DetachedRegion): Steps<void> {
    const range = notifierRange(NotifyEvent.Unmap, region.start, region.end);
    yield* mm.notifiers.invalidateStart(range);
    yield* this.zap.zapRange(mm, region.start, region.end);
    yield* mm.notifiers.invalidateEnd(range);
    for (const vma of region.vmas) this.edit.destroy(vma);
    this.zap.freeTables(mm, region.floor, region.ceiling);
  }

  /**
   * -EINVAL for no pages, beyond the address space, or for a cut through a hugetlb page; that at the start, if only the other one fails, has been
   * made.
   */
  private *refuse(mm: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    if (start >= end || end > TASK_SIZE_PAGES) return Errno.EINVAL;
    if (cutsHugetlb(mm, start)) return Errno.EINVAL;
    if (!cutsHugetlb(mm, end)) return Errno.OK;
    yield* splitHugePmdsAcross(this.kernel, mm, start, start);
    return cutUpToHugePage(this.edit, mm, start);
  }

  /**
   * Both, with mmap_lock held for write throughout. Errors: -EINVAL for no pages, beyond the address space or through a hugetlb page, -ENOMEM as in
   * {@link detach}. @kernel do_vmi_munmap
   */
  *unmap(mm: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    const refused = yield* this.refuse(mm, start, end);
    if (refused !== Errno.OK) return refused;
    yield* splitHugePmdsAcross(this.kernel, mm, start, end);
    const region = this.detach(mm, start, end);
    if (region === Errno.ENOMEM) return region;
    if (region !== null) yield* this.clear(mm, region);
    return Errno.OK;
  }

  /** Both, letting readers in while entries are cleared. mmap_lock is held for write and is released in any case. @kernel do_vmi_align_munmap */
  *unmapAndUnlock(mm: Mm, start: Vpn, end: Vpn): Steps<Errno> {
    const refused = yield* this.refuse(mm, start, end);
    if (refused !== Errno.OK) {
      mm.mmapLock.writeUnlock();
      return refused;
    }
    yield* splitHugePmdsAcross(this.kernel, mm, start, end);
    const region = this.detach(mm, start, end);
    if (region === Errno.ENOMEM || region === null) {
      mm.mmapLock.writeUnlock();
      return region ?? Errno.OK;
    }
    yield* this.clearAndUnlock(mm, region);
    return Errno.OK;
  }

  /** As {@link clear}, with mmap_lock held for write; it is downgraded, and released at the end. @kernel vms_complete_munmap_vmas */
  *clearAndUnlock(mm: Mm, region: DetachedRegion): Steps<void> {
    mm.mmapLock.downgrade();
    yield* this.clear(mm, region);
    mm.mmapLock.readUnlock();
  }
}
