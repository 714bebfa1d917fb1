/** Single pages between an allocator of blocks and its users: most allocations and frees end here, without a walk through the block tree. */

import { AssertionFailure, assert } from '../base/assert.js';
import type { BuddyAllocator } from './buddyAllocator.js';
import { formatPfn, type Pfn, pfn } from './pfn.js';

/** Pages that one refill takes from the blocks, at most: a power of two. */
const REFILL_ORDER = 5;
/** More pages than this are not kept. */
const PAGES_MAX = 1024;
/** Pages that go back to the blocks at once when there are too many. */
const DRAIN_PAGES = 512;

/**
 * First in, first out: pages that were freed in the order of their addresses, as migration does, are handed out in that order again, so that
 * copies of neighbours can still be made as one. Pages on the list are free, but in no block.
 *
 * @kernel per_cpu_pages
 */
export class FreePageList {
  /** Room for one page more than are kept. */
  private readonly ring: Uint32Array;
  private head = 0;
  private count_ = 0;
  /** By page of the zone: 1 while it is on the list. */
  private readonly listed: Uint8Array;

  constructor(
    private readonly blocks: BuddyAllocator,
    private readonly firstPfn: Pfn,
  ) {
    this.listed = new Uint8Array(blocks.totalPages);
    this.ring = new Uint32Array(Math.min(PAGES_MAX, blocks.totalPages) + 1);
  }

  get count(): number {
    return this.count_;
  }

  has(page: Pfn): boolean {
    return this.listed[page - this.firstPfn] === 1;
  }

  /** Pages that are marked as listed, which must be as many as are counted: for checkers. */
  countListed(): number {
    let listed = 0;
    for (let i = 0; i < this.listed.length; i++) listed += this.listed[i];
    return listed;
  }

  /** A page, taken from the list or, when it is empty, from the blocks; 0 when those are empty too. @kernel rmqueue_pcplist */
  take(): Pfn {
    if (this.count_ === 0 && !this.refill()) return pfn(0);
    const page = pfn(this.ring[this.head]);
    this.head = this.next(this.head);
    this.count_--;
    this.listed[page - this.firstPfn] = 0;
    return page;
  }

  /** @kernel free_frozen_page_commit */
  put(page: Pfn): void {
    if (this.has(page) || this.blocks.isFree(page)) refuseDoubleFree(page);
    this.append(page);
    if (this.count_ > PAGES_MAX) this.drain(DRAIN_PAGES);
  }

  /** Gives the oldest pages back, neighbours as one block. @kernel free_pcppages_bulk */
  drain(npages: number): void {
    let left = Math.min(npages, this.count_);
    while (left > 0) {
      const first = this.ring[this.head];
      let run = 0;
      while (left > 0 && this.ring[this.head] === first + run) {
        this.listed[first + run - this.firstPfn] = 0;
        this.head = this.next(this.head);
        this.count_--;
        left--;
        run++;
      }
      this.blocks.freeRun(first, run);
    }
  }

  private refill(): boolean {
    const order = Math.min(REFILL_ORDER, this.blocks.largestFreeOrder);
    if (order < 0) return false;
    const first = this.blocks.alloc(order);
    assert(first > 0, 'blocks disagree with their largest free order');
    for (let i = 0; i < 1 << order; i++) this.append(pfn(first + i));
    return true;
  }

  private append(page: Pfn): void {
    const at = this.head + this.count_;
    this.ring[at >= this.ring.length ? at - this.ring.length : at] = page;
    this.listed[page - this.firstPfn] = 1;
    this.count_++;
  }

  private next(at: number): number {
    return at + 1 === this.ring.length ? 0 : at + 1;
  }
}

/** Apart from its caller, so that freeing makes no closure. */
function refuseDoubleFree(page: Pfn): never {
  throw new AssertionFailure(`double free of pfn ${formatPfn(page)}`);
}
