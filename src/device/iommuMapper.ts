/** The host's side of a device's IOMMU: maps and unmaps pages for DMA, and keeps the ledger of both. */

import { AssertionFailure, assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { DmaDir } from '../memory/dmaAddr.js';
import { formatPfn, NO_PFN, type Pfn } from '../memory/pfn.js';
import { type Iommu, iommuWord, iommuWordDir, iommuWordPfn } from './iommu.js';

/**
 * Owned by the Coordinator; one per device. I/O pages are handed out again in the order in which they were freed, so a stale address
 * meets an unmapped page for as long as possible. Invariant at every point: `mapsTotal - unmapsTotal === live`.
 */
export class IommuMapper {
  mapsTotal = 0;
  unmapsTotal = 0;
  /** Maps that found no free I/O page. */
  failures = 0;
  /** Failure injection: asked once per map; true makes it return -ENOMEM. */
  shouldFail: (() => boolean) | null = null;
  /** Free I/O pages in order of their freeing, as a ring. */
  private readonly free: Uint32Array;
  private freeHead = 0;
  private freeCount: number;

  constructor(
    readonly iommu: Iommu,
    /** Names the device in messages. */
    readonly device: number,
  ) {
    this.freeCount = iommu.words.length - 1;
    this.free = new Uint32Array(this.freeCount);
    for (let i = 0; i < this.freeCount; i++) this.free[i] = i + 1;
  }

  /** Mappings that exist now. */
  get live(): number {
    return this.free.length - this.freeCount;
  }

  get freeIoPages(): number {
    return this.freeCount;
  }

  /** The I/O page that now stands for a frame, positive; -ENOMEM when all are in use. @kernel dma_map_page, iommu_map */
  map(page: Pfn, dir: DmaDir): number {
    if (page === NO_PFN) this.refuse('DMA map of no page');
    if (this.freeCount === 0 || this.shouldFail?.()) {
      this.failures++;
      return Errno.ENOMEM;
    }
    const iova = this.takeOldestFree();
    if (this.iommu.words[iova] !== 0) this.refuse(`I/O page ${iova} is free but mapped`);
    Atomics.store(this.iommu.words, iova, iommuWord(page, dir));
    this.mapsTotal++;
    return iova;
  }

  /** Ends a mapping; returns the frame that it stood for. Unmapping twice is asserted against. @kernel dma_unmap_page, iommu_unmap */
  unmap(iova: number): Pfn {
    if (iova <= 0 || iova >= this.iommu.words.length) this.refuse(`no I/O page ${iova}`);
    const word = Atomics.exchange(this.iommu.words, iova, 0);
    if (word === 0) this.refuse(`DMA unmap of I/O page ${iova}, which is not mapped`);
    this.appendFree(iova);
    this.unmapsTotal++;
    return iommuWordPfn(word);
  }

  /** Asserts that a mapping is what its holder believes it to be: same frame, same direction. */
  assertMapped(iova: number, page: Pfn, dir: DmaDir): void {
    const word = Atomics.load(this.iommu.words, iova);
    assert(
      word === iommuWord(page, dir),
      () => `device ${this.device}: I/O page ${iova} does not map pfn ${formatPfn(page)} in direction ${dir}`,
    );
  }

  /** In order of I/O pages. */
  forEachLive(visit: (iova: number, page: Pfn, dir: DmaDir) => void): void {
    const words = this.iommu.words;
    for (let iova = 1; iova < words.length; iova++) {
      const word = Atomics.load(words, iova);
      if (word !== 0) visit(iova, iommuWordPfn(word), iommuWordDir(word));
    }
  }

  private takeOldestFree(): number {
    const iova = this.free[this.freeHead];
    this.freeHead = this.freeHead + 1 === this.free.length ? 0 : this.freeHead + 1;
    this.freeCount--;
    return iova;
  }

  private appendFree(iova: number): void {
    assert(this.freeCount < this.free.length, 'more I/O pages are freed than there are');
    const at = this.freeHead + this.freeCount;
    this.free[at < this.free.length ? at : at - this.free.length] = iova;
    this.freeCount++;
  }

  /** Apart from its callers, which run for every page and so make no closures. */
  private refuse(what: string): never {
    throw new AssertionFailure(`device ${this.device}: ${what}`);
  }
}
