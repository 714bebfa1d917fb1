/** A set of pages, kept as sorted disjoint intervals that do not touch: an address space is few intervals of many pages. */

import { assert } from '../../base/assert.js';
import { type Vpn, vpn } from '../../base/units.js';

/** Pages from `start` up to, not including, `end`. Never empty. */
export interface PageInterval {
  readonly start: Vpn;
  readonly end: Vpn;
}

/** Look-ups are logarithmic in the number of intervals; a change also moves the intervals above it. */
export class PageIntervals {
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private npages = 0;

  /** Pages in the set. */
  get size(): number {
    return this.npages;
  }

  /** Adds the pages from `start` to `end`; those that are there stay. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const from = firstAtLeast(this.ends, start);
    const to = firstAtLeast(this.starts, end + 1);
    const merges = from < to;
    const newStart = merges ? Math.min(start, this.startAt(from)) : start;
    const newEnd = merges ? Math.max(end, this.endAt(to - 1)) : end;
    this.replace(from, to, [newStart], [newEnd]);
  }

  /** Takes the pages from `start` to `end` out; those that are not there are no error. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    const from = firstAtLeast(this.ends, start + 1);
    const to = firstAtLeast(this.starts, end);
    if (from >= to) return;
    const starts: number[] = [];
    const ends: number[] = [];
    if (this.startAt(from) < start) {
      starts.push(this.startAt(from));
      ends.push(start);
    }
    if (this.endAt(to - 1) > end) {
      starts.push(end);
      ends.push(this.endAt(to - 1));
    }
    this.replace(from, to, starts, ends);
  }

  /** The parts of `start` to `end` that are not in the set, ascending. */
  gaps(start: number, end: number): readonly PageInterval[] {
    const gaps: PageInterval[] = [];
    let at = start;
    for (let i = firstAtLeast(this.ends, start + 1); i < this.starts.length && this.startAt(i) < end; i++) {
      if (at < this.startAt(i)) gaps.push({ start: vpn(at), end: vpn(this.startAt(i)) });
      at = this.endAt(i);
    }
    if (at < end) gaps.push({ start: vpn(at), end: vpn(end) });
    return gaps;
  }

  /** The whole set, ascending. */
  toArray(): readonly PageInterval[] {
    return this.starts.map((start, i) => ({ start: vpn(start), end: vpn(this.endAt(i)) }));
  }

  private replace(from: number, to: number, starts: readonly number[], ends: readonly number[]): void {
    for (let i = from; i < to; i++) this.npages -= this.endAt(i) - this.startAt(i);
    this.starts.splice(from, to - from, ...starts);
    this.ends.splice(from, to - from, ...ends);
    for (let i = 0; i < starts.length; i++) this.npages += (ends[i] ?? 0) - (starts[i] ?? 0);
  }

  private startAt(index: number): number {
    return boundAt(this.starts, index);
  }

  private endAt(index: number): number {
    return boundAt(this.ends, index);
  }
}

function boundAt(bounds: readonly number[], index: number): number {
  const bound = bounds[index];
  assert(bound !== undefined, () => `interval ${index} of ${bounds.length}`);
  return bound;
}

/** Index of the first bound that is `least` or more; the number of bounds if none is. */
function firstAtLeast(bounds: readonly number[], least: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (boundAt(bounds, middle) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
