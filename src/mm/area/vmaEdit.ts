/** Splitting, merging and placing areas: the changes to the area tree that system calls are made of. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { isLeafAt, splitLeaf } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { shareAnonVma, takeAnonVma, unlinkAnonVmas } from '../rmap/anonVmaLinks.js';
import { MAP_COUNT_MAX } from './unmappedArea.js';
import { Vma, VmFlag } from './vma.js';
import { type AreaSpec, mergeSides } from './vmaMerge.js';

/** All methods are atomic and need mmap_lock for write; what takes an area out of the reverse maps again does with read. */
export class VmaEdit {
  constructor(private readonly kernel: Kernel) {}

  /** Puts a new area into the tree and the reverse maps. @kernel vma_link */
  insert(mm: Mm, spec: AreaSpec): Vma {
    mm.mmapLock.assertHeldForWrite();
    const { file } = spec;
    const vma = new Vma(spec.start, spec.end, spec.flags, spec.pgoff, file);
    mm.vmas.insert(vma);
    if (spec.source !== null) {
      shareAnonVma(mm, vma, spec.source);
      vma.reservation = spec.source.reservation;
      vma.lostHugePages = spec.source.lostHugePages;
    }
    file?.get();
    file?.mapping.link(mm, vma);
    return vma;
  }

  /** Cuts the area in two at `page`, inside it; both halves keep their pages' mapping. Returns the upper half. @kernel __split_vma */
  split(mm: Mm, vma: Vma, page: Vpn): Vma {
    assert(vma.start < page && page < vma.end, 'area is split outside itself');
    this.splitLeafAcross(mm, page);
    const upper = { ...specOf(vma), start: page, pgoff: vma.indexOf(page) };
    mm.vmas.resize(vma, vma.start, page, vma.pgoff);
    return this.insert(mm, upper);
  }

  /** Callers that can sleep have split the leaf already, and told the mirrors; no leaf may lie in two areas in any case. @kernel vma_adjust_trans_huge */
  private splitLeafAcross(mm: Mm, page: Vpn): void {
    if (page % PMD_PAGES !== 0 && isLeafAt(mm.pageTable, page)) splitLeaf(this.kernel, mm, page);
  }

  /** Whether that many new areas can be allocated; asked before they are made. @kernel vm_area_alloc */
  reserve(areas: number): boolean {
    for (let i = 0; i < areas; i++) if (this.kernel.allocationFails(AllocSite.Area)) return false;
    return true;
  }

  /**
   * Cuts so that an area covers exactly `[start, end)`, which lies in one area. -ENOMEM at the limit of areas or without memory for one; the cut
   * at the start comes first, and stays if that at the end fails. @kernel vma_modify
   */
  carve(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Vma | typeof Errno.ENOMEM {
    const piece = vma.start < start ? this.trySplit(mm, vma, start) : vma;
    if (piece === null) return Errno.ENOMEM;
    if (end < piece.end && this.trySplit(mm, piece, end) === null) return Errno.ENOMEM;
    return piece;
  }

  /** Null at the limit of areas, or without memory for one. @kernel split_vma */
  private trySplit(mm: Mm, vma: Vma, page: Vpn): Vma | null {
    return mm.vmas.size < MAP_COUNT_MAX && this.reserve(1) ? this.split(mm, vma, page) : null;
  }

  /**
   * Places a new run of pages, as part of its neighbours where these agree with it; returns the area that now covers it. A fresh run makes the
   * whole of it soft-dirty. @kernel vma_merge_new_range, vma_link
   */
  place(mm: Mm, spec: AreaSpec): Vma {
    const vma = this.mergeNew(mm, spec) ?? this.insert(mm, spec);
    if (spec.source === null) vma.flags |= VmFlag.SoftDirty;
    return vma;
  }

  /** Lets an area grow upwards into free space, and merges it with what it then touches. False for an area that is never merged. @kernel vma_merge_extend */
  extend(mm: Mm, vma: Vma, npages: number): boolean {
    const { end } = vma;
    const grown = { ...specOf(vma), start: end, end: (end + npages) as Vpn, pgoff: vma.indexOf(end) };
    return this.mergeNew(mm, grown) !== null;
  }

  /**
   * Gives `[start, end)`, which lies in `vma`, other flags: merged with a neighbour that has them, else cut out. Returns the area that covers
   * the span, -ENOMEM when there would be too many areas, as in {@link carve}.
   * @kernel vma_modify_flags
   */
  modifyFlags(mm: Mm, vma: Vma, start: Vpn, end: Vpn, flags: number): Vma | typeof Errno.ENOMEM {
    mm.mmapLock.assertHeldForWrite();
    assert(vma.start <= start && start < end && end <= vma.end, 'flags change outside the area');
    if (vma.start < start) this.splitLeafAcross(mm, start);
    if (end < vma.end) this.splitLeafAcross(mm, end);
    const merged = this.mergeChanged(mm, vma, start, end, flags);
    if (merged !== null) return merged;
    const piece = this.carve(mm, vma, start, end);
    if (piece !== Errno.ENOMEM) piece.flags = flags;
    return piece;
  }

  /** Ends an area that is out of the tree and has no entries left: it leaves the reverse maps and closes its file. @kernel remove_vma, free_pgtables */
  destroy(vma: Vma): void {
    this.leaveAnonVma(vma);
    const { file } = vma;
    if (file === null) return;
    vma.reservation?.giveBack(vma.pgoff, vma.pgoff + vma.pages);
    file.mapping.unlink(vma);
    this.kernel.pageCache.close(file);
  }

  /** Leaves the area's anon_vma, when none of its pages is mapped there any more. @kernel unlink_anon_vmas */
  leaveAnonVma(vma: Vma): void {
    unlinkAnonVmas(this.kernel, vma);
  }

  /** The run is free. Null when neither neighbour takes it. @kernel vma_merge_new_range */
  private mergeNew(mm: Mm, spec: AreaSpec): Vma | null {
    mm.mmapLock.assertHeldForWrite();
    const { below, above } = mergeSides(spec, areaEndingAt(mm, spec.start), areaStartingAt(mm, spec.end));
    if (below !== null) {
      if (above !== null) this.absorb(mm, below, above);
      mm.vmas.resize(below, below.start, above === null ? spec.end : above.end, below.pgoff);
      return below;
    }
    if (above !== null) mm.vmas.resize(above, spec.start, above.end, spec.pgoff);
    return above;
  }

  /** Only a run at one end of its area touches a neighbour. Null when neither takes it. @kernel vma_merge_existing_range */
  private mergeChanged(mm: Mm, vma: Vma, start: Vpn, end: Vpn, flags: number): Vma | null {
    const spec = { ...specOf(vma), start, end, flags, pgoff: vma.indexOf(start) };
    const { below, above } = mergeSides(
      spec,
      start === vma.start ? areaEndingAt(mm, start) : null,
      end === vma.end ? areaStartingAt(mm, end) : null,
    );
    if (below === null && above === null) return null;
    if (below !== null) this.growUp(mm, below, vma, end);
    if (above === null) return below;
    if (below === null) {
      this.growDown(mm, above, vma, start);
      return above;
    }
    const upTo = above.end;
    this.absorb(mm, below, above);
    mm.vmas.resize(below, below.start, upTo, below.pgoff);
    return below;
  }

  /** `below` takes the pages of its upper neighbour up to `end`, and with the last of them its place in the reverse maps. */
  private growUp(mm: Mm, below: Vma, vma: Vma, end: Vpn): void {
    if (end === vma.end) this.absorb(mm, below, vma);
    else {
      takeAnonVma(mm, below, vma);
      mm.vmas.resize(vma, end, vma.end, vma.indexOf(end));
    }
    mm.vmas.resize(below, below.start, end, below.pgoff);
  }

  /** `above` takes the pages of its lower neighbour from `start` on. */
  private growDown(mm: Mm, above: Vma, vma: Vma, start: Vpn): void {
    const pgoff = vma.indexOf(start);
    if (start === vma.start) this.absorb(mm, above, vma);
    else {
      takeAnonVma(mm, above, vma);
      mm.vmas.resize(vma, vma.start, start, vma.pgoff);
    }
    mm.vmas.resize(above, start, above.end, pgoff);
  }

  /** Takes `gone` out of the tree; its pages are about to be `kept`'s. @kernel dup_anon_vma, vma_complete */
  private absorb(mm: Mm, kept: Vma, gone: Vma): void {
    takeAnonVma(mm, kept, gone);
    mm.vmas.remove(gone);
    this.destroy(gone);
  }
}

function specOf(vma: Vma): AreaSpec {
  const { start, end, flags, pgoff, file } = vma;
  return { start, end, flags, pgoff, file, source: vma };
}

function areaEndingAt(mm: Mm, page: Vpn): Vma | null {
  return page > 0 ? mm.vmas.find((page - 1) as Vpn) : null;
}

function areaStartingAt(mm: Mm, page: Vpn): Vma | null {
  return mm.vmas.find(page);
}
