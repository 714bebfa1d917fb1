/** The memory of one mirror device: chunks of its zone that come and go, with the pages that are free in each. */

import { assert } from '../../base/assert.js';
import { BuddyAllocator } from '../../memory/buddyAllocator.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Zone } from '../../memory/zone.js';

/** @kernel dmirror_chunk */
export class MirrorChunk {
  /** Its free pages are gone; the chunk goes with its last page in use. */
  removed = false;
  private readonly buddy: BuddyAllocator;

  constructor(
    readonly firstPfn: Pfn,
    readonly pages: number,
  ) {
    this.buddy = new BuddyAllocator(firstPfn, pages);
  }

  get usedPages(): number {
    return this.buddy.usedPages;
  }

  contains(pfn: Pfn): boolean {
    return pfn >= this.firstPfn && pfn < this.firstPfn + this.pages;
  }

  isFree(pfn: Pfn): boolean {
    return this.buddy.isFree(pfn);
  }

  /** Free pages one by one instead of by count: for checkers. */
  countFree(): number {
    return this.buddy.countFree();
  }

  alloc(order: number): Pfn {
    const pfn = this.removed ? -1 : this.buddy.alloc(order);
    return pfn < 0 ? NO_PFN : (pfn as Pfn);
  }

  free(pfn: Pfn, order: number): void {
    this.buddy.free(pfn, order);
  }
}

/** Hands out frames only; their metadata and contents are the caller's. */
export class MirrorMemory {
  /** In use; the kernel adds them one by one, when no page is free. */
  private readonly live: MirrorChunk[] = [];
  /** Parts of the zone that no chunk covers, as first frames. */
  private readonly gaps: Pfn[] = [];
  /** Chunks that were added over all time. */
  chunksAdded = 0;
  private touchedEnd_ = 0;

  /** Chunks have `chunkPages` pages each; what the zone has beyond a multiple of it is not used. */
  constructor(
    zone: Zone,
    private readonly chunkPages: number,
  ) {
    const count = Math.floor(zone.pages / chunkPages);
    assert(count > 0, () => `${zone.name} is smaller than one chunk of ${chunkPages} pages`);
    for (let i = count - 1; i >= 0; i--) this.gaps.push((zone.firstPfn + i * chunkPages) as Pfn);
    this.addChunk();
  }

  get chunks(): readonly MirrorChunk[] {
    return this.live;
  }

  /** One past the last frame that was ever handed out; 0 for none. */
  get touchedEnd(): number {
    return this.touchedEnd_;
  }

  get usedPages(): number {
    return this.live.reduce((sum, chunk) => sum + chunk.usedPages, 0);
  }

  /** `2^order` pages; `NO_PFN` when neither a chunk has them together nor the zone a further chunk. @kernel dmirror_devmem_alloc_page */
  alloc(order: number): Pfn {
    if (1 << order > this.chunkPages) return NO_PFN;
    const pfn = this.take(order);
    if (pfn !== NO_PFN) this.touchedEnd_ = Math.max(this.touchedEnd_, pfn + (1 << order));
    return pfn;
  }

  private take(order: number): Pfn {
    for (const chunk of this.live) {
      const pfn = chunk.alloc(order);
      if (pfn !== NO_PFN) return pfn;
    }
    return this.addChunk()?.alloc(order) ?? NO_PFN;
  }

  /** @kernel dmirror_devmem_free */
  free(pfn: Pfn, order: number): void {
    const chunk = this.chunkOf(pfn);
    chunk.free(pfn, order);
    if (chunk.removed) this.dropIfUnused(chunk);
  }

  isFree(pfn: Pfn): boolean {
    const chunk = this.live.find((candidate) => candidate.contains(pfn));
    return chunk === undefined || chunk.isFree(pfn);
  }

  /** Pages in use, one by one instead of by count: for checkers. */
  countUsed(): number {
    return this.live.reduce((sum, chunk) => sum + chunk.pages - chunk.countFree(), 0);
  }

  /** From now on nothing is allocated from the chunk, and it goes with its last page. @kernel dmirror_remove_free_pages */
  remove(chunk: MirrorChunk): void {
    chunk.removed = true;
    this.dropIfUnused(chunk);
  }

  /** @kernel dmirror_allocate_chunk */
  private addChunk(): MirrorChunk | null {
    const first = this.gaps.pop();
    if (first === undefined) return null;
    const chunk = new MirrorChunk(first, this.chunkPages);
    this.live.push(chunk);
    this.chunksAdded++;
    return chunk;
  }

  private dropIfUnused(chunk: MirrorChunk): void {
    if (chunk.usedPages > 0) return;
    this.live.splice(this.live.indexOf(chunk), 1);
    this.gaps.push(chunk.firstPfn);
  }

  private chunkOf(pfn: Pfn): MirrorChunk {
    const chunk = this.live.find((candidate) => candidate.contains(pfn));
    assert(chunk !== undefined, 'a device page of no chunk is freed');
    return chunk;
  }
}
