/** A number for each page of memory, for checkers: of most pages it is 0, and these take no room and no time. */

import type { Pfn } from './pfn.js';

/** Frames that get room together; a power of two. Small, since a zone may have few pages, and large alignment. */
const LOT_BITS = 6;
const LOT = 1 << LOT_BITS;

export class FrameWords {
  private readonly lots: (number[] | undefined)[];

  constructor(readonly totalPages: number) {
    this.lots = new Array<number[] | undefined>(Math.ceil(totalPages / LOT));
  }

  /** Zero unless it was set. */
  of(pfn: Pfn): number {
    const lot = this.lots[pfn >> LOT_BITS];
    return lot === undefined ? 0 : lot[pfn & (LOT - 1)];
  }

  /** A small integer. */
  set(pfn: Pfn, word: number): void {
    let lot = this.lots[pfn >> LOT_BITS];
    if (lot === undefined) {
      lot = new Array<number>(LOT).fill(0);
      this.lots[pfn >> LOT_BITS] = lot;
    }
    lot[pfn & (LOT - 1)] = word;
  }
}
