/** Beside a large tree of intervals none of which overlap: which of them has a page, found in one look instead of a descent. */

import { assert } from './assert.js';

/** Cells for each interval when the table is made: a power of two, since all cells are one. */
const CELLS_PER_INTERVAL = 2;
/** The table is made anew when fewer than one cell in so many is needed. */
const SPARSE = 16;
/** An interval over more cells than this is left to the tree: when it goes, all its cells must be emptied. */
const CELLS_MAX = 1024;
/** Cells that an interval gets when it comes; the others get it when a look-up asks for them. */
const CELLS_AT_ONCE = 4;
/** Of the distances from one interval to the next, the share that may be shorter than a cell. */
const SHORTER_SHARE = 0.25;
const EXPONENTS = 64;
/** A cell without an interval begins there: no page is as far. */
const NOWHERE = Number.POSITIVE_INFINITY;

/** One interval of those that the table is made from. */
export interface Indexed<T> {
  readonly start: number;
  /** One past the last page. */
  readonly end: number;
  readonly value: T;
}

/**
 * Addresses fall into cells of equal size, and cells that are as far apart as the table is long share a place. A place knows one interval with a page in
 * one of its cells, if any; since intervals never overlap, one that has the page asked for is the answer, and anything else says nothing. A look-up reads two
 * places in memory which do not wait for one another, where a descent through a million entries waits for several, one after another.
 */
export class IntervalIndex<T> {
  /** For each place: first page, and one past the last. */
  private readonly bounds: Float64Array;
  private readonly values: (T | null)[];
  private readonly mask: number;
  private readonly cellsPerPage: number;

  private constructor(places: number, cellPages: number) {
    this.mask = places - 1;
    this.bounds = new Float64Array(2 * places).fill(NOWHERE);
    this.values = new Array<T | null>(places).fill(null);
    this.cellsPerPage = 1 / cellPages;
  }

  /** From all intervals there are, ascending by start, `count` of them and at least one. Null where some overlap. */
  static of<T>(count: number, intervals: Iterable<Indexed<T>>): IntervalIndex<T> | null {
    const cellPages = cellPagesFor(count, intervals);
    if (cellPages === null) return null;
    const index = new IntervalIndex<T>(2 ** Math.ceil(Math.log2(CELLS_PER_INTERVAL * count)), cellPages);
    for (const { start, end, value } of intervals) index.add(start, end, value);
    return index;
  }

  /** For so many intervals the table is neither too small nor too large. */
  fits(count: number): boolean {
    const places = this.mask + 1;
    return count <= places && count * SPARSE >= places;
  }

  /** The interval's value where the table knows it; null says nothing. */
  find(page: number): T | null {
    const place = (page * this.cellsPerPage) & this.mask;
    const { bounds } = this;
    return bounds[2 * place] <= page && page < bounds[2 * place + 1] ? this.values[place] : null;
  }

  /** An interval that overlaps none of those that the table knows. */
  add(start: number, end: number, value: T): void {
    const first = this.cellOf(start);
    const last = this.cellOf(end - 1);
    if (last - first >= CELLS_MAX) return;
    const limit = Math.min(last, first + CELLS_AT_ONCE - 1);
    for (let cell = first; cell <= limit; cell++) this.put(this.placeOf(cell), start, end, value);
  }

  /** The tree has found what the table did not know. */
  note(page: number, start: number, end: number, value: T): void {
    assert(start <= page && page < end, 'an interval index learns of a page outside the interval');
    if (this.cellOf(end - 1) - this.cellOf(start) >= CELLS_MAX) return;
    this.put(this.placeOf(this.cellOf(page)), start, end, value);
  }

  /** From now on no look-up finds it. */
  remove(start: number, end: number): void {
    const first = this.cellOf(start);
    const last = this.cellOf(end - 1);
    if (last - first >= CELLS_MAX) return;
    for (let cell = first; cell <= last; cell++) {
      const place = this.placeOf(cell);
      if (this.bounds[2 * place] === start) this.put(place, NOWHERE, NOWHERE, null);
    }
  }

  private put(place: number, start: number, end: number, value: T | null): void {
    this.bounds[2 * place] = start;
    this.bounds[2 * place + 1] = end;
    this.values[place] = value;
  }

  private cellOf(page: number): number {
    return Math.floor(page * this.cellsPerPage);
  }

  private placeOf(cell: number): number {
    return cell & this.mask;
  }
}

/** A power of two, so small that most intervals have a cell of their own; null where some overlap. */
function cellPagesFor(count: number, intervals: Iterable<Indexed<unknown>>): number | null {
  const distances = new Float64Array(EXPONENTS);
  let startBefore = Number.NEGATIVE_INFINITY;
  let endBefore = Number.NEGATIVE_INFINITY;
  for (const { start, end } of intervals) {
    if (start < endBefore) return null;
    if (startBefore >= 0) distances[Math.floor(Math.log2(start - startBefore))]++;
    startBefore = start;
    endBefore = end;
  }
  let exponent = 0;
  for (let shorter = distances[0]; shorter <= SHORTER_SHARE * (count - 1) && exponent < EXPONENTS - 1; ) {
    exponent++;
    shorter += distances[exponent];
  }
  return 2 ** exponent;
}
