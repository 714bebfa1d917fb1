/** A GPU's TLB: translations that were read from the page table and are used until an invalidation names their page. */

import { assert } from '../base/assert.js';
import { type Vpn, vpn } from '../base/units.js';
import { type GpuPte, gpuPteAllows, gpuPteAt, NO_GPU_PTE } from './gpuPte.js';

/** Equal to no page number. */
const NO_TAG = -1;

/** A module's own constant, unlike an imported one, costs nothing to read on the hot path. */
const MISS: GpuPte = NO_GPU_PTE;

/** Both powers of two; `ways` divides `entries`. */
export interface GpuTlbConfig {
  readonly entries: number;
  /** Entries in which one page may lie. */
  readonly ways: number;
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n <= 2 ** 24 && (n & (n - 1)) === 0;
}

/**
 * Set-associative, replacing in turn within a set. A page has at most one entry. Pages are doubles, of which `&` takes the low
 * bits, and that is what chooses the set.
 */
export class GpuTlb {
  evictions = 0;
  private readonly ways: number;
  private readonly sets: number;
  private readonly setMask: number;
  /** Way `w` of set `s` is at `s * ways + w` of both arrays. */
  private readonly tags: Float64Array;
  private readonly ptes: Uint32Array;
  /** Per set the way to replace next. */
  private readonly turns: Uint8Array;

  constructor(readonly config: GpuTlbConfig) {
    const { entries, ways } = config;
    assert(isPowerOfTwo(entries) && isPowerOfTwo(ways), 'TLB entries and ways must be powers of two');
    assert(ways <= entries && ways <= 256, 'TLB with more ways than entries, or more than 256');
    this.ways = ways;
    this.sets = entries / ways;
    this.setMask = this.sets - 1;
    this.tags = new Float64Array(entries).fill(NO_TAG);
    this.ptes = new Uint32Array(entries);
    this.turns = new Uint8Array(this.sets);
  }

  /** The entry of a page if it is there and allows the access, else `NO_GPU_PTE`. */
  lookup(page: Vpn, write: boolean): GpuPte {
    const at = this.find(page);
    if (at < 0) return MISS;
    const pte = gpuPteAt(this.ptes, at);
    if (!gpuPteAllows(pte, write)) return MISS;
    return pte;
  }

  /** Remembers what the page table says now; replaces an older entry of the same page. */
  fill(page: Vpn, pte: GpuPte): void {
    assert(pte !== NO_GPU_PTE, 'TLB filled with an empty entry');
    let at = this.find(page);
    if (at < 0) at = this.victim(page & this.setMask);
    this.tags[at] = page;
    this.ptes[at] = pte;
  }

  /** Forgets a range of pages by whichever is shorter, the range or the TLB; returns how many entries that were. */
  invalidate(page: Vpn, npages: number): number {
    assert(npages > 0 && page >= 0, 'TLB invalidation of no page');
    return npages <= this.sets
      ? this.invalidatePages(page, npages)
      : this.invalidateEntries(page, page + npages);
  }

  /** Looks at every entry: whoever uses the TLB has no time to count. */
  countValid(): number {
    let count = 0;
    for (let at = 0; at < this.tags.length; at++) if (this.tags[at] !== NO_TAG) count++;
    return count;
  }

  /** Valid entries, in no particular order. */
  forEach(visit: (page: Vpn, pte: GpuPte) => void): void {
    for (let at = 0; at < this.tags.length; at++) {
      if (this.tags[at] !== NO_TAG) visit(vpn(this.tags[at]), gpuPteAt(this.ptes, at));
    }
  }

  /** The first way is looked at apart: without conflicts it is the only one in use, and this is the hottest code of a device. */
  private find(page: number): number {
    const first = (page & this.setMask) * this.ways;
    return this.tags[first] === page ? first : this.findInOtherWays(page, first);
  }

  private findInOtherWays(page: number, first: number): number {
    for (let way = 1; way < this.ways; way++) {
      if (this.tags[first + way] === page) return first + way;
    }
    return -1;
  }

  private victim(set: number): number {
    const first = set * this.ways;
    for (let at = first; at < first + this.ways; at++) {
      if (this.tags[at] === NO_TAG) return at;
    }
    const turn = this.turns[set];
    this.turns[set] = (turn + 1) & (this.ways - 1);
    this.evictions++;
    return first + turn;
  }

  private invalidatePages(page: number, npages: number): number {
    let dropped = 0;
    for (let i = 0; i < npages; i++) {
      const at = this.find(page + i);
      if (at < 0) continue;
      this.drop(at);
      dropped++;
    }
    return dropped;
  }

  private invalidateEntries(page: number, end: number): number {
    let dropped = 0;
    for (let at = 0; at < this.tags.length; at++) {
      const tag = this.tags[at];
      if (tag < page || tag >= end) continue;
      this.drop(at);
      dropped++;
    }
    return dropped;
  }

  private drop(at: number): void {
    this.tags[at] = NO_TAG;
    this.ptes[at] = NO_GPU_PTE;
  }
}
