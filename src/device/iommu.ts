/** The IOMMU of one device as the device sees it: what an I/O page stands for, read afresh at each access. */

import { assert } from '../base/assert.js';
import { BufferViews } from '../memory/bufferViews.js';
import { DmaDir } from '../memory/dmaAddr.js';
import type { Pfn } from '../memory/pfn.js';
import { PeerWindow } from './peerWindow.js';

const READABLE = 1;
const WRITABLE = 2;
const PFN_SHIFT = 2;
const PAGE_MAX = 2 ** 22 - 1;

const RIGHTS: Readonly<Record<DmaDir, number>> = {
  [DmaDir.Bidirectional]: READABLE | WRITABLE,
  [DmaDir.ToDevice]: READABLE,
  [DmaDir.FromDevice]: WRITABLE,
};

/** The word of one I/O page: a pfn, and whether the device may read and write it; 0 is unmapped. */
export function iommuWord(page: Pfn, dir: DmaDir): number {
  return iommuWordOf(page, iommuRights(dir));
}

/** What a device may do with pages that are mapped in a direction: the same for all of one mapping. */
export function iommuRights(dir: DmaDir): number {
  return RIGHTS[dir];
}

/** The word with rights that {@link iommuRights} has given. */
export function iommuWordOf(page: number, rights: number): number {
  return (page << PFN_SHIFT) | rights;
}

export function iommuWordHas(word: number, rights: number): boolean {
  return (word & (READABLE | WRITABLE)) === rights;
}

export function iommuWordPfn(word: number): Pfn {
  return (word >>> PFN_SHIFT) as Pfn;
}

/** The direction that a word of a mapped page was made with. */
export function iommuWordDir(word: number): DmaDir {
  if ((word & WRITABLE) === 0) return DmaDir.ToDevice;
  return (word & READABLE) === 0 ? DmaDir.FromDevice : DmaDir.Bidirectional;
}

/**
 * One word per I/O page in shared memory, and one per frame for those of other devices, which are reached by their own number. The Coordinator alone writes it, through an `IommuMapper`; the device looks at it at each
 * access and keeps nothing, so use after unmap cannot go unseen. I/O page 0 is never mapped.
 *
 * @kernel iommu_domain
 */
export class Iommu {
  readonly words: Uint32Array;
  readonly peers: PeerWindow;

  /** `frames`: of all memories together. */
  constructor(
    readonly buffer: SharedArrayBuffer,
    frames: number,
  ) {
    const words = BufferViews.of(buffer).uint32s;
    const ioWords = words.length - frames;
    this.words = words.subarray(0, ioWords);
    this.peers = new PeerWindow(words, ioWords);
    assert(this.words.length >= 2 && this.words.length - 1 <= PAGE_MAX, 'IOMMU of a wrong size');
  }

  /** Room for `ioPages` live mappings; at most 2^22 - 2. */
  static allocate(ioPages: number, frames: number): Iommu {
    return new Iommu(new SharedArrayBuffer((ioPages + 1 + frames) * 4), frames);
  }

  /** The pfn behind an I/O page, or -1 when it is not mapped for this kind of access. @kernel iommu_iova_to_phys */
  translate(iova: number, write: boolean): Pfn | -1 {
    if (iova >= this.words.length) return -1;
    // What a request names was mapped before the request was sent, and the ring orders that; a word has no halves.
    const word = this.words[iova];
    return (word & (write ? WRITABLE : READABLE)) === 0 ? -1 : iommuWordPfn(word);
  }
}
