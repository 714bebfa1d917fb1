/** An array of 32-bit elements in simulated memory, reached page by page through an access port. */

import { assert } from '../base/assert.js';
import { PAGE_WORDS, pagesFor, type Vpn, vpn } from '../base/units.js';
import { type AccessPort, holdPage } from '../memory/accessPort.js';
import type { Steps } from '../sim/steps.js';

const ELEMENT_BYTES = 4;

export class PagedBuffer {
  readonly npages: number;

  constructor(
    readonly start: Vpn,
    readonly elements: number,
  ) {
    assert(elements > 0, 'a buffer without elements');
    this.npages = pagesFor(elements * ELEMENT_BYTES);
  }

  get end(): Vpn {
    return vpn(this.start + this.npages);
  }

  pageOf(element: number): Vpn {
    return vpn(this.start + Math.floor(element / PAGE_WORDS));
  }

  /** How many of `count` elements from `first` on lie in the first one's page. */
  countInPage(first: number, count: number): number {
    return Math.min(count, PAGE_WORDS - (first % PAGE_WORDS));
  }

  /** Elements of the buffer in its page `index`. */
  elementsInPage(index: number): number {
    return Math.min(PAGE_WORDS, this.elements - index * PAGE_WORDS);
  }

  /**
   * Gets hold of the page of `first` and returns the index of that element in `memory.floats` and `memory.words`; a negative result is the
   * errno of an illegal access, and then nothing is held.
   */
  *hold(port: AccessPort, first: number, write: boolean): Steps<number> {
    const base = yield* holdPage(port, this.pageOf(first), write);
    return base < 0 ? base : base + (first % PAGE_WORDS);
  }

  /** Copies the elements from `first` on, up to `count` and to the end of their page, into `into[at..]`; how many, or an errno. */
  *loadSome(port: AccessPort, first: number, count: number, into: Float32Array, at: number): Steps<number> {
    const index = yield* this.hold(port, first, false);
    if (index < 0) return index;
    const { floats } = port.memory;
    const some = this.countInPage(first, count);
    for (let i = 0; i < some; i++) into[at + i] = floats[index + i];
    port.release();
    return some;
  }

  /** Copies `from[at..]` to the elements from `first` on, up to `count` and to the end of their page; how many, or an errno. */
  *storeSome(port: AccessPort, first: number, count: number, from: Float32Array, at: number): Steps<number> {
    const index = yield* this.hold(port, first, true);
    if (index < 0) return index;
    const { floats } = port.memory;
    const some = this.countInPage(first, count);
    for (let i = 0; i < some; i++) floats[index + i] = from[at + i];
    port.release();
    return some;
  }
}
