/** An ordered set of half-open page intervals with handles: who overlaps, who comes next, who comes before. */

import { assert } from './assert.js';
import { IntervalBlocks, NONE } from './intervalBlocks.js';

/** The largest page number an interval may end at: above it doubles are no longer exact. */
const LIMIT = Number.MAX_SAFE_INTEGER;

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
export class IntervalTree<T> {
  /** Made with the first interval: many trees never have one. */
  private stored: IntervalBlocks<T, IntervalNode<T>> | null = null;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Blocks that a look-up goes through. */
  get levels(): number {
    return this.stored?.levels ?? 0;
  }

  /** Adds `[start, end)`; `0 <= start < end <= 2^53 - 1`. Equal starts keep the order in which they came. */
  insert(start: number, end: number, value: T): IntervalNode<T> {
    assert(Number.isSafeInteger(start) && start >= 0, 'interval start is not a page number');
    assert(Number.isSafeInteger(end) && end > start && end <= LIMIT, 'interval end is not above its start');
    const node = new IntervalNode(start, end, value);
    node.tree = this;
    this.stored ??= new IntervalBlocks();
    this.stored.insert(start, end, node);
    this.count++;
    return node;
  }

  /** Takes a node out; the handle is dead afterwards. */
  remove(node: IntervalNode<T>): void {
    assert(node.tree === this, 'interval node is not in this tree');
    this.blocks.remove(node);
    node.tree = null;
    this.count--;
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
    const { stored } = this;
    if (stored === null) return null;
    const slot = stored.firstEndingAfter(start);
    return slot === NONE || stored.startAt(slot) >= end ? null : stored.valueAt(slot);
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
