/** The plain computation of saxpy, element by element, to compare with. */

import { PAGE_WORDS } from '../base/units.js';
import { hashUnit } from './hash32.js';

/** Not a short binary fraction, so that the product is rounded and its rounding shows. */
const A = Math.fround(0.7);

export function saxpyX(seed: number, element: number): number {
  return hashUnit(seed ^ 0x5a, element);
}

export function saxpyY(seed: number, element: number): number {
  return hashUnit(seed ^ 0xa5, element);
}

/** One round on one element in 32-bit floats: a product and a sum, each rounded. */
export function saxpyStep(x: number, y: number): number {
  return Math.fround(Math.fround(A * x) + y);
}

interface ModelPage {
  readonly values: Float32Array;
  /** Rounds that each value has had. */
  readonly rounds: Float64Array;
}

/** Values are asked for again and again with growing rounds, so each is kept as it was last. */
export class SaxpyModel {
  private readonly pages = new Map<number, ModelPage>();

  constructor(
    private readonly seed: number,
    private readonly elements: number,
  ) {}

  /** y of `element` after `rounds` rounds. */
  value(element: number, rounds: number): number {
    const page = this.page(Math.floor(element / PAGE_WORDS));
    const at = element % PAGE_WORDS;
    if (page.rounds[at] > rounds) {
      page.values[at] = saxpyY(this.seed, element);
      page.rounds[at] = 0;
    }
    const x = saxpyX(this.seed, element);
    let y = page.values[at];
    for (let round = page.rounds[at]; round < rounds; round++) y = saxpyStep(x, y);
    page.values[at] = y;
    page.rounds[at] = rounds;
    return y;
  }

  private page(index: number): ModelPage {
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const values = new Float32Array(PAGE_WORDS);
    const first = index * PAGE_WORDS;
    for (let i = 0; i < PAGE_WORDS && first + i < this.elements; i++)
      values[i] = saxpyY(this.seed, first + i);
    const page = { values, rounds: new Float64Array(PAGE_WORDS) };
    this.pages.set(index, page);
    return page;
  }
}
