/** The host's side of a device's IOMMU: maps and unmaps pages for DMA, and keeps the ledger of both. */

import { AssertionFailure, assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { DmaDir } from '../memory/dmaAddr.js';
import type { DmaIovaState } from '../memory/dmaIova.js';
import { formatPfn, NO_PFN, type Pfn } from '../memory/pfn.js';
import {
  type Iommu,
  iommuRights,
  iommuWord,
  iommuWordDir,
  iommuWordHas,
  iommuWordOf,
  iommuWordPfn,
} from './iommu.js';
import { IovaSpace } from './iovaSpace.js';

/**
 * Owned by the Coordinator; one per device. I/O addresses are taken for a single mapping, or reserved as a whole and filled by link after
 * link. Invariant at every point: `mapsTotal - unmapsTotal === live`, in pages.
 */
export class IommuMapper {
  /** Pages mapped so far. */
  mapsTotal = 0;
  unmapsTotal = 0;
  /** I/O pages of reservations made so far, linked or not. */
  reservedTotal = 0;
  releasedTotal = 0;
  /** Maps, reservations and links that found no free I/O page, or were made to fail. */
  failures = 0;
  /** Failure injection: asked once per map, reservation and link; true makes it return -ENOMEM. */
  shouldFail: (() => boolean) | null = null;
  private readonly space: IovaSpace;
  /** By first I/O page of a mapping: its pages. */
  private readonly sizes: Uint16Array;
  private livePages = 0;

  constructor(
    readonly iommu: Iommu,
    /** Names the device in messages. */
    readonly device: number,
  ) {
    this.space = new IovaSpace(iommu.words.length - 1);
    this.sizes = new Uint16Array(iommu.words.length);
  }

  /** Pages mapped now. */
  get live(): number {
    return this.livePages;
  }

  /** I/O pages in reservations now. */
  get reserved(): number {
    return this.reservedTotal - this.releasedTotal;
  }

  get freeIoPages(): number {
    return this.space.freePages;
  }

  /**
   * The first of the I/O pages that now stand for consecutive frames, positive; -ENOMEM when there is no such run.
   * @kernel iommu_dma_map_page, iommu_map
   */
  map(page: Pfn, dir: DmaDir, npages = 1): number {
    const iova = this.take(npages);
    if (iova < 0) return iova;
    this.enter(iova, page, npages, dir);
    return iova;
  }

  /**
   * Ends a mapping as it was made; returns the frame that it stood for. Unmapping twice, in part or more than was mapped is asserted against.
   * @kernel iommu_dma_unmap_page, iommu_unmap
   */
  unmap(iova: number, npages = 1): Pfn {
    const page = this.leave(iova, npages);
    this.space.free(iova, npages);
    return page;
  }

  /** False, with the state empty, when there is no such run of I/O pages. @kernel dma_iova_try_alloc */
  tryAlloc(state: DmaIovaState, npages: number): boolean {
    assert(!state.isUsed, 'a reservation is made over another one');
    const iova = this.take(npages);
    if (iova < 0) return false;
    state.addr = iova;
    state.npages = npages;
    this.reservedTotal += npages;
    return true;
  }

  /** Maps frames at a page of the reservation. Error: -ENOMEM. @kernel dma_iova_link */
  link(state: DmaIovaState, page: Pfn, offset: number, npages: number, dir: DmaDir): Errno {
    assert(offset + npages <= state.npages, 'a link reaches beyond its reservation');
    if (this.shouldFail?.()) {
      this.failures++;
      return Errno.ENOMEM;
    }
    this.enter(state.addr + offset, page, npages, dir);
    return Errno.OK;
  }

  /**
   * As one {@link link} of a single page after the other, for each frame of `frames` that is one. How many are linked: fewer than there are frames
   * when one fails.
   */
  linkPages(state: DmaIovaState, frames: Uint32Array, npages: number, offset: number, dir: DmaDir): number {
    const { sizes, shouldFail } = this;
    const { words } = this.iommu;
    const rights = iommuRights(dir);
    const first = state.addr + offset;
    const end = state.addr + state.npages;
    let iova = first;
    for (let i = 0; i < npages; i++) {
      const frame = frames[i];
      if (frame === NO_PFN) continue;
      if (shouldFail?.()) {
        this.failures++;
        break;
      }
      if (iova >= end || words[iova] !== 0) this.refuse(`I/O page ${iova} is not free in this reservation`);
      // The device hears of it by a message, which orders the two: an atomic store costs ten times as much.
      words[iova] = iommuWordOf(frame, rights);
      sizes[iova] = 1;
      iova++;
    }
    this.livePages += iova - first;
    this.mapsTotal += iova - first;
    return iova - first;
  }

  /**
   * As {@link unlink} where nothing but single pages was linked. The first I/O page from `offset` on of which that is not so or that was mapped in
   * another direction, or the end: what comes before has been unmapped.
   */
  unlinkPages(state: DmaIovaState, offset: number, npages: number, dir: DmaDir): number {
    const { sizes } = this;
    const { words } = this.iommu;
    const rights = iommuRights(dir);
    const first = state.addr + offset;
    const end = first + npages;
    let iova = first;
    while (iova < end && sizes[iova] === 1 && iommuWordHas(words[iova], rights)) {
      words[iova] = 0;
      sizes[iova] = 0;
      iova++;
    }
    this.livePages -= iova - first;
    this.unmapsTotal += iova - first;
    return iova;
  }

  /** Unmaps what was linked in a part of the reservation. @kernel dma_iova_unlink */
  unlink(state: DmaIovaState, offset: number, npages: number): void {
    assert(offset + npages <= state.npages, 'an unlink reaches beyond its reservation');
    const end = state.addr + offset + npages;
    for (let iova = state.addr + offset; iova < end; ) {
      const size = this.sizes[iova];
      this.leave(iova, size);
      iova += size;
    }
  }

  /** Gives the whole reservation back; nothing is linked in it. @kernel dma_iova_free */
  free(state: DmaIovaState): void {
    this.release(state.addr, state.npages);
    state.clear();
  }

  private release(iova: number, npages: number): void {
    const { words } = this.iommu;
    for (let at = iova; at < iova + npages; at++) {
      if (words[at] !== 0) this.refuse(`I/O page ${at} is freed while it is mapped`);
    }
    this.space.free(iova, npages);
    this.releasedTotal += npages;
  }

  /** Asserts that a mapping is what its holder believes it to be: same frame, same direction. */
  assertMapped(iova: number, page: Pfn, dir: DmaDir): void {
    const word = Atomics.load(this.iommu.words, iova);
    assert(
      word === iommuWord(page, dir),
      () => `device ${this.device}: I/O page ${iova} does not map pfn ${formatPfn(page)} in direction ${dir}`,
    );
  }

  /** How the mapping that starts at an I/O page was made; 0 where none starts. */
  sizeAt(iova: number): number {
    return this.sizes[iova];
  }

  /** In order of I/O pages. */
  forEachLive(visit: (iova: number, page: Pfn, dir: DmaDir) => void): void {
    const words = this.iommu.words;
    for (let iova = 1; iova < words.length; iova++) {
      const word = Atomics.load(words, iova);
      if (word !== 0) visit(iova, iommuWordPfn(word), iommuWordDir(word));
    }
  }

  private take(npages: number): number {
    const iova = this.shouldFail?.() ? 0 : this.space.allocate(npages);
    if (iova !== 0) return iova;
    this.failures++;
    return Errno.ENOMEM;
  }

  private enter(iova: number, page: Pfn, npages: number, dir: DmaDir): void {
    if (page === NO_PFN) this.refuse('DMA map of no page');
    const { words } = this.iommu;
    for (let i = 0; i < npages; i++) {
      if (words[iova + i] !== 0) this.refuse(`I/O page ${iova + i} is free but mapped`);
      // The device hears of it by a message, which orders the two: an atomic store costs ten times as much.
      words[iova + i] = iommuWord((page + i) as Pfn, dir);
    }
    this.sizes[iova] = npages;
    this.livePages += npages;
    this.mapsTotal += npages;
  }

  private leave(iova: number, npages: number): Pfn {
    const { words } = this.iommu;
    if (iova <= 0 || iova >= words.length) this.refuse(`no I/O page ${iova}`);
    const first = words[iova];
    if (first === 0) this.refuse(`DMA unmap of I/O page ${iova}, which is not mapped`);
    if (this.sizes[iova] !== npages)
      this.refuse(`DMA unmap of ${npages} pages at I/O page ${iova}, where ${this.sizes[iova]} were mapped`);
    for (let i = 0; i < npages; i++) words[iova + i] = 0;
    this.sizes[iova] = 0;
    this.livePages -= npages;
    this.unmapsTotal += npages;
    return iommuWordPfn(first);
  }

  /** Apart from its callers, which run for every page and so make no closures. */
  private refuse(what: string): never {
    throw new AssertionFailure(`device ${this.device}: ${what}`);
  }
}
