/** An interval map: a value per page span, split where a change begins or ends and merged where neighbours are equal. */

import { assert } from './assert.js';

/** Pages [start, end) with one value. */
export interface RangeEntry<T> {
  readonly start: number;
  readonly end: number;
  readonly value: T;
}

/**
 * Entries are disjoint, ascending and maximal: neighbours that touch differ. Values are never changed in place. Look-ups are O(log n), changes
 * O(n) in the number of entries.
 */
export class RangeMap<T> {
  private entries: RangeEntry<T>[] = [];

  constructor(private readonly equals: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.entries.length;
  }

  get(page: number): T | undefined {
    return this.entryAt(page)?.value;
  }

  /** The entry that holds `page`, whole. */
  entryAt(page: number): RangeEntry<T> | undefined {
    const entry = this.entries[this.firstAfter(page)];
    return entry !== undefined && entry.start <= page ? entry : undefined;
  }

  /** Entries that overlap [start, end), whole, ascending. */
  *overlapping(start: number, end: number): IterableIterator<RangeEntry<T>> {
    for (let i = this.firstAfter(start); i < this.entries.length; i++) {
      if (this.entries[i].start >= end) return;
      yield this.entries[i];
    }
  }

  /** [start, end) piece by piece, with `undefined` for the gaps. */
  *pieces(start: number, end: number): IterableIterator<RangeEntry<T | undefined>> {
    let at = start;
    for (const entry of this.overlapping(start, end)) {
      if (entry.start > at) yield { start: at, end: entry.start, value: undefined };
      const from = Math.max(entry.start, at);
      const to = Math.min(entry.end, end);
      yield { start: from, end: to, value: entry.value };
      at = to;
    }
    if (at < end) yield { start: at, end, value: undefined };
  }

  /** The piece of [start, end) that holds `page`: of an entry, or of a gap between entries. */
  pieceAt(page: number, start: number, end: number): RangeEntry<T | undefined> {
    const i = this.firstAfter(page);
    const entry = this.entries[i];
    if (entry !== undefined && entry.start <= page) {
      return { start: Math.max(entry.start, start), end: Math.min(entry.end, end), value: entry.value };
    }
    const low = i > 0 ? Math.max(this.entries[i - 1].end, start) : start;
    return { start: low, end: entry === undefined ? end : Math.min(entry.start, end), value: undefined };
  }

  /** Whether no page of [start, end) is without a value. */
  covers(start: number, end: number): boolean {
    for (const piece of this.pieces(start, end)) if (piece.value === undefined) return false;
    return true;
  }

  /** Gives each page of [start, end) the value that `change` makes of its present one; `undefined` takes it out. */
  update(start: number, end: number, change: (value: T | undefined) => T | undefined): void {
    assert(start >= 0 && start < end, 'a change of no page');
    const changed: RangeEntry<T>[] = [];
    for (const piece of this.pieces(start, end)) {
      const value = change(piece.value);
      if (value !== undefined) changed.push({ start: piece.start, end: piece.end, value });
    }
    this.replace(start, end, changed);
  }

  set(start: number, end: number, value: T): void {
    this.update(start, end, () => value);
  }

  delete(start: number, end: number): void {
    this.update(start, end, () => undefined);
  }

  [Symbol.iterator](): IterableIterator<RangeEntry<T>> {
    return this.entries.values();
  }

  private replace(start: number, end: number, changed: readonly RangeEntry<T>[]): void {
    const from = this.firstAfter(start);
    let to = from;
    while (to < this.entries.length && this.entries[to].start < end) to++;
    const pieces = [...cut(this.entries.slice(from, to), start, end, changed)];
    // Neighbours take part, since the change may have made them equal.
    const low = Math.max(0, from - 1);
    const high = Math.min(this.entries.length, to + 1);
    const around = [...this.entries.slice(low, from), ...pieces, ...this.entries.slice(to, high)];
    this.entries.splice(low, high - low, ...this.merged(around));
  }

  private merged(entries: readonly RangeEntry<T>[]): RangeEntry<T>[] {
    const result: RangeEntry<T>[] = [];
    for (const entry of entries) {
      const last = result.at(-1);
      if (last !== undefined && last.end === entry.start && this.equals(last.value, entry.value)) {
        result[result.length - 1] = { start: last.start, end: entry.end, value: last.value };
      } else {
        result.push(entry);
      }
    }
    return result;
  }

  /** Index of the first entry that ends above `page`. */
  private firstAfter(page: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle].end <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What the first and the last of `old` have outside [start, end), with `changed` in between. */
function* cut<T>(
  old: readonly RangeEntry<T>[],
  start: number,
  end: number,
  changed: readonly RangeEntry<T>[],
): IterableIterator<RangeEntry<T>> {
  const first = old[0];
  const last = old.at(-1);
  if (first !== undefined && first.start < start)
    yield { start: first.start, end: start, value: first.value };
  yield* changed;
  if (last !== undefined && last.end > end) yield { start: end, end: last.end, value: last.value };
}
