/** What one device may reach of other devices' memory: which frames are mapped for it, and for which kind of access. */

import { AssertionFailure } from '../base/assert.js';
import { DmaDir } from '../memory/dmaAddr.js';

/** Mappings of a frame that may be read: the lower half of its word. Those that may be written are the upper half. */
const READERS = 1;
const WRITERS = 1 << 16;
const READERS_MASK = WRITERS - 1;
const COUNT_MAX = WRITERS - 1;

const PARTS: Readonly<Record<DmaDir, number>> = {
  [DmaDir.Bidirectional]: READERS + WRITERS,
  [DmaDir.ToDevice]: READERS,
  [DmaDir.FromDevice]: WRITERS,
};

/**
 * A word per frame, which counts: several mappings may lead to one frame, such as those of two processes, or of a mirror and a copy. In shared
 * memory; the Coordinator alone writes it, and the device looks at it at each access, as with I/O pages.
 */
export class PeerWindow {
  /** The word of frame 0 is `words[first]`. */
  constructor(
    private readonly words: Uint32Array,
    private readonly first = 0,
  ) {}

  /** Whether a mapping leads there now that is for this kind of access. */
  allows(frame: number, write: boolean): boolean {
    // Mapped before the request that names it was sent; the ring orders that.
    const word = this.words[this.first + frame];
    return write ? word > READERS_MASK : (word & READERS_MASK) !== 0;
  }

  /** Mappings of the frame, for any kind of access. */
  mappingsOf(frame: number): number {
    const word = this.words[this.first + frame];
    return Math.max(word & READERS_MASK, word >>> 16);
  }

  map(first: number, npages: number, dir: DmaDir): void {
    for (let frame = first; frame < first + npages; frame++) {
      if (this.mappingsOf(frame) === COUNT_MAX) refuse(frame, 'is mapped too often');
      this.words[this.first + frame] += PARTS[dir];
    }
  }

  unmap(first: number, npages: number, dir: DmaDir): void {
    for (let frame = first; frame < first + npages; frame++) {
      const reads = dir !== DmaDir.FromDevice;
      const writes = dir !== DmaDir.ToDevice;
      if ((reads && !this.allows(frame, false)) || (writes && !this.allows(frame, true)))
        refuse(frame, 'is unmapped in a direction in which it was not mapped');
      this.words[this.first + frame] -= PARTS[dir];
    }
  }
}

function refuse(frame: number, what: string): never {
  throw new AssertionFailure(`frame ${frame} of a peer ${what}`);
}
