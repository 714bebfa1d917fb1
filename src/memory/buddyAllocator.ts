/** Power-of-two blocks of page frames out of one zone, lowest address first; serves RAM and VRAM alike. */

import { AssertionFailure, assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { alignDown } from '../base/units.js';
import { formatPfn, type Pfn, pfn } from './pfn.js';

/** Orders go up to this: 2 MiB blocks. */
const DEFAULT_MAX_ORDER = 9;

/**
 * A buddy allocator kept as a heap-shaped binary tree of bytes: the byte of a node is 1 + the order of the largest free
 * block below it, 0 when nothing is free there. Free buddies merge by themselves: a node whose halves are both wholly
 * free says so. Below a node that is wholly free or wholly used the bytes are stale; they are written when a walk passes.
 *
 * The tree, unlike free lists, gives the lowest address that fits: neighbours in time become neighbours in memory, which
 * is what lets copies be coalesced. An allocated block may be freed in aligned parts, as a split folio is.
 *
 * @kernel drm_buddy, zone->free_area
 */
export class BuddyAllocator {
  readonly totalPages: number;
  readonly maxOrder: number;
  private readonly firstPfn: number;
  /** Frame of leaf 0; at most `firstPfn`, aligned so that blocks are aligned as frame numbers. */
  private readonly base: number;
  private readonly depth: number;
  private readonly best: Uint8Array;
  private free_: number;
  private touchedEnd_ = 0;

  /** `firstPfn` and `pages` are in frames; neither need be a power of two. */
  constructor(firstPfn: number, pages: number, maxOrder: number = DEFAULT_MAX_ORDER) {
    assert(Number.isInteger(pages) && pages > 0, 'a buddy allocator needs at least one page');
    assert(maxOrder >= 0 && maxOrder < 22, 'buddy order out of range');
    this.firstPfn = pfn(firstPfn);
    this.totalPages = pages;
    this.maxOrder = maxOrder;
    this.base = alignDown(firstPfn, 1 << maxOrder);
    const span = firstPfn - this.base + pages;
    this.depth = Math.max(maxOrder, Math.ceil(Math.log2(span)));
    this.best = new Uint8Array(2 ** (this.depth + 1));
    this.free_ = pages;
    this.buildTree();
  }

  get freePages(): number {
    return this.free_;
  }

  /** One past the last frame that was ever handed out; 0 for none. */
  get touchedEnd(): number {
    return this.touchedEnd_;
  }

  get usedPages(): number {
    return this.totalPages - this.free_;
  }

  /** Order of the largest block that `alloc` can give now; -1 when nothing is free. */
  get largestFreeOrder(): number {
    return this.best[1] - 1;
  }

  /** Takes the lowest aligned block of `2^order` pages. -ENOMEM when no block is that large. */
  alloc(order: number): Pfn | typeof Errno.ENOMEM {
    assert(order >= 0 && order <= this.maxOrder, 'buddy order out of range');
    if (this.best[1] <= order) return Errno.ENOMEM;
    const node = this.findLowest(order);
    this.best[node] = 0;
    this.refreshAbove(node, order);
    this.free_ -= 1 << order;
    const first = this.frameOf(node, order);
    this.touchedEnd_ = Math.max(this.touchedEnd_, first + (1 << order));
    return pfn(first);
  }

  /** Gives back an allocated block, or an aligned part of one. Freeing what is free is asserted against. */
  free(page: Pfn, order: number): void {
    assert(order >= 0 && order <= this.maxOrder, 'buddy order out of range');
    this.checkBlock(page, order);
    const node = this.descendToUsed(page, order);
    this.best[node] = order + 1;
    this.refreshAbove(node, order);
    this.free_ += 1 << order;
  }

  /** As the largest aligned blocks that cover the run. */
  freeRun(first: number, npages: number): void {
    const end = first + npages;
    for (let at = first; at < end; ) {
      const aligned = 31 - Math.clz32(at & -at);
      const fitting = 31 - Math.clz32(end - at);
      const order = Math.min(aligned, fitting, this.maxOrder);
      this.free(pfn(at), order);
      at += 1 << order;
    }
  }

  isFree(page: Pfn): boolean {
    if (page < this.firstPfn || page >= this.firstPfn + this.totalPages) return false;
    const leaf = page - this.base + (1 << this.depth);
    for (let height = this.maxOrder; height >= 0; height--) {
      const state = this.best[leaf >>> height];
      if (state === 0) return false;
      if (state === height + 1) return true;
    }
    return false;
  }

  /** Pages that the tree says are free, which must be as many as are counted: for checkers. */
  countFree(): number {
    return this.countBelow(1, this.depth);
  }

  private countBelow(node: number, height: number): number {
    const state = this.best[node];
    if (state === 0) return 0;
    if (height <= this.maxOrder && state === height + 1) return 1 << height;
    return this.countBelow(2 * node, height - 1) + this.countBelow(2 * node + 1, height - 1);
  }

  /**
   * Writes `npages` frames to `out[at...]`: as few and as large blocks as there are. All or nothing: -ENOMEM leaves
   * everything as it was. Frames ascend within a block. @kernel drm_buddy_alloc_blocks
   */
  allocPages(npages: number, out: Uint32Array, at: number): Errno {
    assert(npages > 0 && at >= 0 && at + npages <= out.length, 'page list too short for the allocation');
    if (npages > this.free_) return Errno.ENOMEM;
    let done = 0;
    while (done < npages) {
      const order = Math.min(31 - Math.clz32(npages - done), this.largestFreeOrder);
      const first = this.alloc(order);
      assert(first !== Errno.ENOMEM, 'buddy tree disagrees with its free count');
      for (let page = 0; page < 1 << order; page++) out[at + done++] = first + page;
    }
    return Errno.OK;
  }

  private buildTree(): void {
    const leaves = 1 << this.depth;
    const first = leaves + this.firstPfn - this.base;
    this.best.fill(1, first, first + this.totalPages);
    for (let height = 1; height <= this.depth; height++) {
      for (let node = leaves >>> height; node < leaves >>> (height - 1); node++) this.refresh(node, height);
    }
  }

  private refresh(node: number, height: number): void {
    const left = this.best[2 * node];
    const right = this.best[2 * node + 1];
    const bothFree = height <= this.maxOrder && left === height && right === height;
    this.best[node] = bothFree ? height + 1 : Math.max(left, right);
  }

  /** Recomputes the ancestors of a node of height `height`, as far up as they change. */
  private refreshAbove(node: number, height: number): void {
    let at = node >>> 1;
    for (let up = height + 1; up <= this.depth; up++, at >>>= 1) {
      const before = this.best[at];
      this.refresh(at, up);
      if (this.best[at] === before) return;
    }
  }

  /** The leftmost wholly free node of the height asked for; blocks on the way are split. */
  private findLowest(order: number): number {
    const best = this.best;
    let node = 1;
    for (let height = this.depth; height > order; height--) {
      if (height <= this.maxOrder && best[node] === height + 1) this.pushDown(node, height);
      node = best[2 * node] > order ? 2 * node : 2 * node + 1;
    }
    return node;
  }

  /** The node of a block in use, with the bytes above it made current; asserts that no page of it is free. */
  private descendToUsed(page: Pfn, order: number): number {
    const leaf = page - this.base + (1 << this.depth);
    for (let height = this.maxOrder; height > order; height--) {
      const node = leaf >>> height;
      const state = this.best[node];
      if (state === height + 1) refuseDoubleFree(page, order);
      if (state === 0) this.pushDown(node, 0);
    }
    const node = leaf >>> order;
    if (this.best[node] !== 0) refuseDoubleFree(page, order);
    return node;
  }

  private pushDown(node: number, state: number): void {
    this.best[2 * node] = state;
    this.best[2 * node + 1] = state;
  }

  private frameOf(node: number, height: number): number {
    return this.base + node * (1 << height) - (1 << this.depth);
  }

  private checkBlock(page: Pfn, order: number): void {
    const inside =
      page >= this.firstPfn &&
      page + (1 << order) <= this.firstPfn + this.totalPages &&
      page % (1 << order) === 0;
    if (!inside)
      throw new AssertionFailure(`pfn ${formatPfn(page)} order ${order} is no block of this allocator`);
  }
}

/** Apart from the walk that calls it, so that the walk makes no closures. */
function refuseDoubleFree(page: Pfn, order: number): never {
  throw new AssertionFailure(`double free of pfn ${formatPfn(page)} order ${order}`);
}
