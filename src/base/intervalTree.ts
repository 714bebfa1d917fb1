/** An ordered set of half-open page intervals with handles: who overlaps, who comes next, who comes before. */

import { assert } from './assert.js';
import { IntervalBlocks, NONE } from './intervalBlocks.js';
import { type Indexed, IntervalIndex } from './intervalIndex.js';

/** The largest page number an interval may end at: above it doubles are no longer exact. */
const LIMIT = Number.MAX_SAFE_INTEGER;
/** A tree of fewer intervals is in the nearest caches, where a descent is as fast as any index. */
const INDEX_FROM = 4096;

/**
 * The handle of one inserted interval. Only the first three fields are for users; the others belong to the tree.
 *
 * @kernel interval_tree_node
 */
export class IntervalNode<T> {
  /** First page. */
  readonly start: number;
  /** One past the last page. */
  readonly end: number;
  readonly value: T;
  /** @internal The leaf that has it. */
  block = NONE;
  /** @internal The tree that holds the node; null before insertion and after removal. */
  tree: IntervalTree<T> | null = null;

  constructor(start: number, end: number, value: T) {
    this.start = start;
    this.end = end;
    this.value = value;
  }
}

/**
 * Augmented B+-tree over `[start, end)` intervals of page numbers. Intervals may overlap and repeat; the order is by `start`, then by insertion.
 * Every look-up and update is O(log n); look-ups allocate nothing.
 *
 * Within a walk (`firstOverlap` then `nextOverlap`, or `first` then `next`) a node may be removed once its successor has been taken: all other
 * handles stay good.
 *
 * @kernel interval_tree, maple_tree
 */
export class IntervalTree<T> implements Iterable<Indexed<T>> {
  /** Made with the first interval: many trees never have one. */
  private stored: IntervalBlocks<T, IntervalNode<T>> | null = null;
  private count = 0;
  /** Only where there are many, and none overlaps another. */
  private index: IntervalIndex<T> | null = null;
  /** Some overlapped, since the tree was last empty. */
  private overlapping = false;

  /** Tests need fewer intervals for an index. */
  constructor(private readonly indexFrom = INDEX_FROM) {}

  get size(): number {
    return this.count;
  }

  /** Blocks that a look-up goes through. */
  get levels(): number {
    return this.stored?.levels ?? 0;
  }

  /** A look-up of one page needs no descent, as a rule. */
  get isIndexed(): boolean {
    return this.index !== null;
  }

  /** Adds `[start, end)`; `0 <= start < end <= 2^53 - 1`. Equal starts keep the order in which they came. */
  insert(start: number, end: number, value: T): IntervalNode<T> {
    assert(Number.isSafeInteger(start) && start >= 0, 'interval start is not a page number');
    assert(Number.isSafeInteger(end) && end > start && end <= LIMIT, 'interval end is not above its start');
    if (this.index !== null && this.firstValue(start, end) !== null) this.dropIndex();
    const node = new IntervalNode(start, end, value);
    node.tree = this;
    this.stored ??= new IntervalBlocks();
    this.stored.insert(start, end, node);
    this.count++;
    this.index?.add(start, end, value);
    this.fitIndex();
    return node;
  }

  /** Takes a node out; the handle is dead afterwards. */
  remove(node: IntervalNode<T>): void {
    assert(node.tree === this, 'interval node is not in this tree');
    this.blocks.remove(node);
    node.tree = null;
    this.count--;
    this.index?.remove(node.start, node.end);
    this.fitIndex();
  }

  /**
   * The first node, in order, that shares a page with `[start, end)`.
   *
   * @kernel interval_tree_iter_first
   */
  firstOverlap(start: number, end: number): IntervalNode<T> | null {
    assert(start < end, 'empty look-up interval');
    return this.stored === null ? null : this.below(this.stored.firstEndingAfter(start), end);
  }

  /** The value of {@link firstOverlap}, which is found sooner than its node. */
  firstValue(start: number, end: number): T | null {
    assert(start < end, 'empty look-up interval');
    const { index } = this;
    const known = index === null ? null : index.find(start);
    return known === null ? this.descend(start, end) : known;
  }

  /**
   * The next node after `node`, in order, that shares a page with `[start, end)`.
   *
   * @kernel interval_tree_iter_next
   */
  nextOverlap(node: IntervalNode<T>, start: number, end: number): IntervalNode<T> | null {
    return this.below(this.blocks.nextEndingAfter(this.slotOf(node), start), end);
  }

  /** The successor in order, or null. */
  next(node: IntervalNode<T>): IntervalNode<T> | null {
    return this.at(this.blocks.next(this.slotOf(node)));
  }

  /** The predecessor in order, or null. */
  previous(node: IntervalNode<T>): IntervalNode<T> | null {
    return this.at(this.blocks.previous(this.slotOf(node)));
  }

  first(): IntervalNode<T> | null {
    return this.stored === null ? null : this.at(this.stored.first());
  }

  last(): IntervalNode<T> | null {
    return this.stored === null ? null : this.at(this.stored.last());
  }

  /** The first node whose `start` is at or above the page given. */
  lowerBound(start: number): IntervalNode<T> | null {
    if (this.stored === null) return null;
    const before = this.stored.lastStartingUpTo(start - 1);
    return this.at(before === NONE ? this.stored.first() : this.stored.next(before));
  }

  /** The last node whose `start` is below the page given. */
  before(start: number): IntervalNode<T> | null {
    return this.stored === null ? null : this.at(this.stored.lastStartingUpTo(start - 1));
  }

  /** In order. The node just yielded may be removed by the consumer. */
  *[Symbol.iterator](): Generator<IntervalNode<T>, void, void> {
    let node = this.first();
    while (node !== null) {
      const next: IntervalNode<T> | null = this.next(node);
      yield node;
      node = next;
    }
  }

  /** Asserts the rules of the structure; for tests. */
  check(): void {
    this.stored?.check();
  }

  private descend(start: number, end: number): T | null {
    const { stored, index } = this;
    if (stored === null) return null;
    const slot = stored.firstEndingAfter(start);
    if (slot === NONE) return null;
    const found = stored.startAt(slot);
    if (found >= end) return null;
    const value = stored.valueAt(slot);
    if (index !== null && value !== null && found <= start)
      index.note(start, found, stored.endAt(slot), value);
    return value;
  }

  /** Made, made anew or dropped where the number of intervals asks for it. */
  private fitIndex(): void {
    if (this.count < this.indexFrom) {
      this.index = null;
      if (this.count === 0) this.overlapping = false;
      return;
    }
    if (this.overlapping || this.index?.fits(this.count) === true) return;
    this.index = IntervalIndex.of(this.count, this);
    this.overlapping = this.index === null;
  }

  /** With the first interval over another one: what has a page is not all that has it. */
  private dropIndex(): void {
    this.index = null;
    this.overlapping = true;
  }

  /** Nothing that comes after the first interval beyond the end overlaps either: starts ascend. */
  private below(slot: number, end: number): IntervalNode<T> | null {
    return slot === NONE || this.blocks.startAt(slot) >= end ? null : this.blocks.itemAt(slot);
  }

  private at(slot: number): IntervalNode<T> | null {
    return slot === NONE ? null : this.blocks.itemAt(slot);
  }

  /** There is at least one node. */
  private get blocks(): IntervalBlocks<T, IntervalNode<T>> {
    assert(this.stored !== null, 'an interval tree has nothing stored');
    return this.stored;
  }

  private slotOf(node: IntervalNode<T>): number {
    assert(node.tree === this, 'interval node is not in this tree');
    return this.blocks.slotOf(node);
  }
}
