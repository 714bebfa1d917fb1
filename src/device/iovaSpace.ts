/** Which I/O pages of a device are taken: hands out runs of them, as late as possible after they were freed. */

import { assert } from '../base/assert.js';

const FREE = 0;
const TAKEN = 1;

/**
 * The search goes round and round from where the last one ended, so a stale address meets an unmapped page for as long as possible. I/O page 0
 * is never handed out. @kernel iova_domain
 */
export class IovaSpace {
  private readonly pages: Uint8Array;
  private cursor = 1;
  private freePages_: number;

  /** I/O pages 1 to `ioPages`. */
  constructor(readonly ioPages: number) {
    this.pages = new Uint8Array(ioPages + 1);
    this.pages[0] = TAKEN;
    this.freePages_ = ioPages;
  }

  get freePages(): number {
    return this.freePages_;
  }

  /** The first of `npages` free I/O pages in a row, now taken; 0 where there is no such run. @kernel alloc_iova_fast */
  allocate(npages: number): number {
    if (npages > this.freePages_) return 0;
    // The usual case, apart: one page, and the next one is free.
    if (npages === 1 && this.pages[this.cursor] === FREE) {
      this.pages[this.cursor] = TAKEN;
      this.freePages_--;
      return this.cursor++;
    }
    const found =
      this.findRun(this.cursor, this.pages.length, npages) ||
      this.findRun(1, Math.min(this.pages.length, this.cursor + npages - 1), npages);
    if (found === 0) return 0;
    this.pages.fill(TAKEN, found, found + npages);
    this.freePages_ -= npages;
    this.cursor = found + npages;
    return found;
  }

  /** @kernel free_iova_fast */
  free(first: number, npages: number): void {
    const { pages } = this;
    let taken = 0;
    for (let page = first; page < first + npages; page++) taken += pages[page];
    assert(taken === npages * TAKEN, 'an I/O page is freed twice');
    pages.fill(FREE, first, first + npages);
    this.freePages_ += npages;
  }

  private findRun(from: number, end: number, npages: number): number {
    const { pages } = this;
    let start = from;
    while (start + npages <= end) {
      let page = start;
      while (page < start + npages && pages[page] === FREE) page++;
      if (page === start + npages) return start;
      start = pages.indexOf(FREE, page + 1);
      if (start < 0) return 0;
    }
    return 0;
  }
}
