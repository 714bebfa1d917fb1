/** Splitting, merging and placing areas: the changes to the area tree that system calls are made of. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { PMD_PAGES, type Vpn } from '../base/units.js';
import { AllocSite } from '../memory/failureInjector.js';
import { isMergeableAnonVma, shareAnonVma, takeAnonVma, unlinkAnonVmas } from './anonVmaLinks.js';
import { isLeafAt, splitLeaf } from './hugeLeaf.js';
import type { Kernel } from './kernel.js';
import type { Mm } from './mm.js';
import { MAP_COUNT_MAX } from './unmappedArea.js';
import { Vma } from './vma.js';

/** All methods are atomic and need mmap_lock for write. */
export class VmaEdit {
  constructor(private readonly kernel: Kernel) {}

  /** Cuts the area in two at `page`, inside it; both halves keep their pages' mapping. Returns the upper half. @kernel __split_vma */
  split(mm: Mm, vma: Vma, page: Vpn): Vma {
    mm.mmapLock.assertHeldForWrite();
    assert(vma.start < page && page < vma.end, 'area is split outside itself');
    // Callers that can sleep have split the leaf already, and told the mirrors; no leaf may lie in two areas in any case.
    if (page % PMD_PAGES !== 0 && isLeafAt(mm.pageTable, page)) splitLeaf(this.kernel, mm, page);
    const upper = new Vma(page, vma.end, vma.flags, vma.indexOf(page));
    mm.vmas.resize(vma, vma.start, page, vma.pgoff);
    mm.vmas.insert(upper);
    shareAnonVma(mm, upper, vma);
    return upper;
  }

  /** Whether that many new areas can be allocated; asked before anything changes, so that a caller makes all of them or none. @kernel vm_area_alloc */
  reserve(areas: number): boolean {
    for (let i = 0; i < areas; i++) if (this.kernel.allocationFails(AllocSite.Area)) return false;
    return true;
  }

  /** Cuts so that an area covers exactly `[start, end)`, which lies in one area. -ENOMEM at the limit of areas. @kernel vma_modify, split_vma */
  carve(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Vma | typeof Errno.ENOMEM {
    const cuts = (vma.start < start ? 1 : 0) + (end < vma.end ? 1 : 0);
    if (mm.vmas.size + cuts > MAP_COUNT_MAX || !this.reserve(cuts)) return Errno.ENOMEM;
    const lower = vma.start < start ? this.split(mm, vma, start) : vma;
    if (end < lower.end) this.split(mm, lower, end);
    return lower;
  }

  /**
   * Places a new area, which may map what `source` maps, and merges it with its neighbours; returns the area that now covers it.
   * @kernel vma_merge_new_range, vma_link, copy_vma
   */
  place(mm: Mm, start: Vpn, end: Vpn, flags: number, pgoff: number, source: Vma | null): Vma {
    mm.mmapLock.assertHeldForWrite();
    const vma = new Vma(start, end, flags, pgoff);
    mm.vmas.insert(vma);
    if (source !== null) shareAnonVma(mm, vma, source);
    return this.mergeAround(mm, vma);
  }

  /** Merges an area with its lower, then its upper neighbour where the rules allow; returns the area that now covers it. @kernel vma_merge */
  mergeAround(mm: Mm, vma: Vma): Vma {
    mm.mmapLock.assertHeldForWrite();
    const previous = mm.vmas.previous(vma);
    const next = mm.vmas.next(vma);
    const below = previous !== null && this.canMerge(previous, vma, previous) ? previous : null;
    const above = next !== null && this.canMerge(vma, next, next) ? next : null;
    const merged = below === null ? vma : this.merge(mm, below, vma);
    const isBridge = below === null || isMergeableAnonVma(below.anonVma, above?.anonVma ?? null, null);
    return above !== null && isBridge ? this.merge(mm, merged, above) : merged;
  }

  /** Leaves the area's anon_vma, when none of its pages is mapped there any more. @kernel unlink_anon_vmas */
  leaveAnonVma(vma: Vma): void {
    unlinkAnonVmas(this.kernel, vma);
  }

  /** Same flags, adjacent, offsets that go on, and anon_vmas that agree; `neighbour` is the one of the two that was there before. @kernel can_vma_merge_after, can_vma_merge_before */
  private canMerge(below: Vma, above: Vma, neighbour: Vma): boolean {
    return (
      below.end === above.start &&
      below.flags === above.flags &&
      below.indexOf(below.end) === above.pgoff &&
      isMergeableAnonVma(neighbour === below ? above.anonVma : below.anonVma, neighbour.anonVma, neighbour)
    );
  }

  private merge(mm: Mm, below: Vma, above: Vma): Vma {
    const { end } = above;
    mm.vmas.remove(above);
    mm.vmas.resize(below, below.start, end, below.pgoff);
    takeAnonVma(mm, below, above);
    unlinkAnonVmas(this.kernel, above);
    return below;
  }
}
