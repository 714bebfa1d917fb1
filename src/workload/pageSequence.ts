/** In which order an actor visits the pages of its part of a buffer: the access patterns. */

import { assert } from '../base/assert.js';
import type { Random } from '../sim/random.js';
import type { AccessPattern } from './workloadConfig.js';
import { Zipf } from './zipf.js';

export interface PageSequence {
  /** Below the number of pages that the sequence was made for. */
  next(): number;
}

/** `random` is used by `uniform` and `zipf`; `stride` by `strided`. */
export function pageSequence(
  pattern: AccessPattern,
  pages: number,
  stride: number,
  random: Random,
): PageSequence {
  assert(pages >= 1 && stride >= 1, () => `pattern over ${pages} pages with stride ${stride}`);
  switch (pattern) {
    case 'sequential':
      return new StridedPages(pages, 1);
    case 'strided':
      return new StridedPages(pages, Math.min(stride, pages));
    case 'uniform':
      return { next: () => random.below(pages) };
    case 'zipf':
      return new ZipfPages(pages, random);
  }
}

/** Every `stride`-th page; each lap begins one page further, so that `pages` steps visit every page once. */
class StridedPages implements PageSequence {
  private at = 0;
  private offset = 0;

  constructor(
    private readonly pages: number,
    private readonly stride: number,
  ) {}

  next(): number {
    const page = this.at;
    this.at += this.stride;
    if (this.at >= this.pages) {
      this.offset = (this.offset + 1) % this.stride;
      this.at = this.offset;
    }
    return page;
  }
}

/** The popular pages are the same for everybody, and lie scattered over the buffer. */
class ZipfPages implements PageSequence {
  private readonly zipf: Zipf;
  private readonly factor: number;

  constructor(
    private readonly pages: number,
    private readonly random: Random,
  ) {
    this.zipf = new Zipf(pages);
    this.factor = scatterFactor(pages);
  }

  next(): number {
    return (this.zipf.next(this.random) * this.factor) % this.pages;
  }
}

/** Near the golden section of `pages` and without a common divisor, so that multiplying modulo `pages` is a permutation that scatters. */
export function scatterFactor(pages: number): number {
  let factor = Math.max(Math.floor(pages * 0.618_034), 1);
  while (greatestCommonDivisor(factor, pages) !== 1) factor++;
  return factor;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
