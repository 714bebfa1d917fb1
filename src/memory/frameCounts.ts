/** Counts something of each page of memory, for checkers, which count all pages at every look. */

import { assert } from '../base/assert.js';
import { FrameWords } from './frameWords.js';
import type { Pfn } from './pfn.js';

/** Of most pages there is none; those that have some are remembered, so that a walk over them does not look at the others. */
export class FrameCounts {
  private readonly counts: FrameWords;
  private readonly counted: Pfn[] = [];

  constructor(totalPages: number) {
    this.counts = new FrameWords(totalPages);
  }

  /** `n` is 1 or more. */
  add(pfn: Pfn, n = 1): void {
    assert(pfn >= 0 && pfn < this.counts.totalPages, () => `page ${pfn} does not exist`);
    const before = this.counts.of(pfn);
    if (before === 0) this.counted.push(pfn);
    this.counts.set(pfn, before + n);
  }

  /** Zero where nothing was counted. */
  of(pfn: Pfn): number {
    return this.counts.of(pfn);
  }

  /** In the order in which they were first counted. */
  get frames(): readonly Pfn[] {
    return this.counted;
  }
}
