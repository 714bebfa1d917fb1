/** What building a machine leaves in its shared memory, and the way back to there, after whatever its runs have written. */

import type { SharedBuffers } from '../../simulation/sharedBuffers.js';
import { ChangingImages, type Image } from './changingImages.js';
import { imagesOfMemory } from './memoryImage.js';

/** All but what an eraser knows to find by itself: frames and page tables, which are many, and of which it knows those that were used. */
export class BufferImage {
  private readonly images: ChangingImages<Image>;

  /** The machine has been built, and has not run. */
  constructor({ folios, iommus, arrays, brackets, rings, board, payloads }: SharedBuffers) {
    const buffers = [folios, ...iommus, arrays, brackets, rings, board, payloads];
    this.images = new ChangingImages(buffers.flatMap(imagesOfMemory));
  }

  /** As that of an object image. */
  learn(): boolean {
    return this.images.learn();
  }

  restore(): void {
    this.images.restore();
  }
}
