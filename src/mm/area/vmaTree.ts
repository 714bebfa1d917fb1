/** The areas of one address space in address order, with the gaps between them. */

import { assert } from '../../base/assert.js';
import { type IntervalNode, IntervalTree } from '../../base/intervalTree.js';
import { formatVpn, TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { GapTree } from './gapTree.js';
import type { Vma } from './vma.js';

/**
 * Areas never overlap. Changes happen under mmap_lock for write, look-ups under mmap_lock; every operation is logarithmic.
 * @kernel mm_mt, vma_iterator
 */
export class VmaTree implements Iterable<Vma> {
  private readonly tree = new IntervalTree<Vma>();
  private readonly nodes = new Map<Vma, IntervalNode<Vma>>();
  /** One entry per area: the gap that ends where the area starts. */
  private readonly gaps = new GapTree();
  private pages_ = 0;

  /** Number of areas. @kernel map_count */
  get size(): number {
    return this.tree.size;
  }

  /** Pages in all areas together. @kernel total_vm */
  get pages(): number {
    return this.pages_;
  }

  /** The area that contains the page. @kernel vma_lookup */
  find(page: Vpn): Vma | null {
    const node = this.tree.before(page + 1);
    return node !== null && node.end > page ? node.value : null;
  }

  /** The first area that ends above the page: the one that contains it, or the next one. @kernel find_vma */
  firstFrom(page: Vpn): Vma | null {
    return this.find(page) ?? this.tree.lowerBound(page)?.value ?? null;
  }

  /** The first area that has a page in `[start, end)`. @kernel find_vma_intersection */
  firstIn(start: Vpn, end: Vpn): Vma | null {
    const vma = this.firstFrom(start);
    return vma !== null && vma.start < end ? vma : null;
  }

  next(vma: Vma): Vma | null {
    return this.tree.next(this.nodeOf(vma))?.value ?? null;
  }

  previous(vma: Vma): Vma | null {
    return this.tree.previous(this.nodeOf(vma))?.value ?? null;
  }

  insert(vma: Vma): void {
    assert(vma.start < vma.end && vma.end <= TASK_SIZE_PAGES, 'area is empty or beyond TASK_SIZE');
    assert(this.firstIn(vma.start, vma.end) === null, () => `areas overlap at ${formatVpn(vma.start)}`);
    this.nodes.set(vma, this.tree.insert(vma.start, vma.end, vma));
    this.gaps.set(vma.start, vma.start - (this.previous(vma)?.end ?? 0));
    const next = this.next(vma);
    if (next !== null) this.gaps.set(next.start, next.start - vma.end);
    this.pages_ += vma.pages;
  }

  remove(vma: Vma): void {
    const before = this.previous(vma)?.end ?? 0;
    const next = this.next(vma);
    this.gaps.delete(vma.start);
    if (next !== null) this.gaps.set(next.start, next.start - before);
    this.tree.remove(this.nodeOf(vma));
    this.nodes.delete(vma);
    this.pages_ -= vma.pages;
  }

  /** Moves the ends of an area; it may not run into its neighbours. @kernel vma_set_range */
  resize(vma: Vma, start: Vpn, end: Vpn, pgoff: number): void {
    this.remove(vma);
    vma.start = start;
    vma.end = end;
    vma.pgoff = pgoff;
    this.insert(vma);
    for (const link of vma.anonVmaChain) link.rehang();
    vma.file?.mapping.rehang(vma);
  }

  /** Start of the highest free stretch of `npages` pages within `[low, high)`, or -1. @kernel vm_unmapped_area (VM_UNMAPPED_AREA_TOPDOWN) */
  findGap(npages: number, low: number, high: number): Vpn | -1 {
    assert(npages > 0, 'a gap has at least one page');
    const start = this.highestGapEnd(npages, high) - npages;
    return start >= low && start >= 0 ? (start as Vpn) : -1;
  }

  *[Symbol.iterator](): Generator<Vma, void, void> {
    for (const node of this.tree) yield node.value;
  }

  /** Where the highest stretch that is free for `npages` pages below `high` ends; -1 when there is none. */
  private highestGapEnd(npages: number, high: number): number {
    const last = this.tree.before(high);
    const usedUpTo = last?.end ?? 0;
    if (usedUpTo + npages <= high) return high;
    return last === null ? -1 : this.gaps.highest(npages, last.start);
  }

  private nodeOf(vma: Vma): IntervalNode<Vma> {
    const node = this.nodes.get(vma);
    assert(node !== undefined, () => `area at ${formatVpn(vma.start)} is not in this address space`);
    return node;
  }
}
