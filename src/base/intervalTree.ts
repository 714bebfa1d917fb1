/** An ordered set of half-open page intervals with intrusive handles: who overlaps, who comes next, who comes before. */

import { assert } from './assert.js';

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
  /** @internal Largest `end` in the subtree below and including this node. */
  maxEnd: number;
  /** @internal Height of the subtree; a leaf has 1. */
  height = 1;
  /** @internal */
  left: IntervalNode<T> | null = null;
  /** @internal */
  right: IntervalNode<T> | null = null;
  /** @internal */
  parent: IntervalNode<T> | null = null;
  /** @internal The tree that holds the node; null before insertion and after removal. */
  tree: IntervalTree<T> | null = null;

  constructor(start: number, end: number, value: T) {
    this.start = start;
    this.end = end;
    this.value = value;
    this.maxEnd = end;
  }
}

/**
 * Augmented AVL tree over `[start, end)` intervals of page numbers. Intervals may overlap and repeat; the order is by
 * `start`, then by insertion. Every look-up and update is O(log n); look-ups allocate nothing.
 *
 * Within a walk (`firstOverlap` then `nextOverlap`, or `first` then `next`) a node may be removed once its successor
 * has been taken: removal never moves another node's contents, so all other handles stay good.
 *
 * @kernel interval_tree, maple_tree
 */
export class IntervalTree<T> {
  private root: IntervalNode<T> | null = null;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Adds `[start, end)`; `0 <= start < end <= 2^53 - 1`. Equal starts keep the order in which they came. */
  insert(start: number, end: number, value: T): IntervalNode<T> {
    assert(Number.isSafeInteger(start) && start >= 0, 'interval start is not a page number');
    assert(Number.isSafeInteger(end) && end > start && end <= LIMIT, 'interval end is not above its start');
    const node = new IntervalNode(start, end, value);
    node.tree = this;
    this.attachAsLeaf(node);
    this.rebalanceUpFrom(node.parent);
    this.count++;
    return node;
  }

  /** Takes a node out; the handle is dead afterwards. */
  remove(node: IntervalNode<T>): void {
    assert(node.tree === this, 'interval node is not in this tree');
    const from = this.detach(node);
    node.left = null;
    node.right = null;
    node.parent = null;
    node.tree = null;
    this.rebalanceUpFrom(from);
    this.count--;
  }

  /**
   * The first node, in order, that shares a page with `[start, end)`.
   *
   * @kernel interval_tree_iter_first
   */
  firstOverlap(start: number, end: number): IntervalNode<T> | null {
    assert(start < end, 'empty look-up interval');
    return firstOverlapBelow(this.root, start, end);
  }

  /**
   * The next node after `node`, in order, that shares a page with `[start, end)`.
   *
   * @kernel interval_tree_iter_next
   */
  nextOverlap(node: IntervalNode<T>, start: number, end: number): IntervalNode<T> | null {
    assert(node.tree === this, 'interval node is not in this tree');
    let at = node;
    for (;;) {
      const below = firstOverlapBelow(at.right, start, end);
      if (below !== null) return below;
      const up = nextAncestor(at);
      if (up === null || up.start >= end) return null;
      if (up.end > start) return up;
      at = up;
    }
  }

  /** The successor in order, or null. */
  next(node: IntervalNode<T>): IntervalNode<T> | null {
    assert(node.tree === this, 'interval node is not in this tree');
    return node.right === null ? nextAncestor(node) : leftmost(node.right);
  }

  /** The predecessor in order, or null. */
  previous(node: IntervalNode<T>): IntervalNode<T> | null {
    assert(node.tree === this, 'interval node is not in this tree');
    return node.left === null ? previousAncestor(node) : rightmost(node.left);
  }

  first(): IntervalNode<T> | null {
    return this.root === null ? null : leftmost(this.root);
  }

  last(): IntervalNode<T> | null {
    return this.root === null ? null : rightmost(this.root);
  }

  /** The first node whose `start` is at or above the page given. */
  lowerBound(start: number): IntervalNode<T> | null {
    let found: IntervalNode<T> | null = null;
    let at = this.root;
    while (at !== null) {
      if (at.start >= start) {
        found = at;
        at = at.left;
      } else {
        at = at.right;
      }
    }
    return found;
  }

  /** The last node whose `start` is below the page given. */
  before(start: number): IntervalNode<T> | null {
    let found: IntervalNode<T> | null = null;
    let at = this.root;
    while (at !== null) {
      if (at.start < start) {
        found = at;
        at = at.right;
      } else {
        at = at.left;
      }
    }
    return found;
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

  private attachAsLeaf(node: IntervalNode<T>): void {
    let parent: IntervalNode<T> | null = null;
    let at = this.root;
    while (at !== null) {
      parent = at;
      at = node.start < at.start ? at.left : at.right;
    }
    node.parent = parent;
    if (parent === null) this.root = node;
    else if (node.start < parent.start) parent.left = node;
    else parent.right = node;
  }

  /** Unlinks `node` and returns the lowest node whose subtree changed. */
  private detach(node: IntervalNode<T>): IntervalNode<T> | null {
    if (node.left === null || node.right === null) {
      this.replaceInParent(node, node.left ?? node.right);
      return node.parent;
    }
    const successor = leftmost(node.right);
    const from = successor.parent === node ? successor : successor.parent;
    if (successor.parent !== node) {
      this.replaceInParent(successor, successor.right);
      adopt(successor, node.right, 'right');
    }
    adopt(successor, node.left, 'left');
    this.replaceInParent(node, successor);
    return from;
  }

  private replaceInParent(node: IntervalNode<T>, by: IntervalNode<T> | null): void {
    const parent = node.parent;
    if (parent === null) this.root = by;
    else if (parent.left === node) parent.left = by;
    else parent.right = by;
    if (by !== null) by.parent = parent;
  }

  private rebalanceUpFrom(from: IntervalNode<T> | null): void {
    let at = from;
    while (at !== null) {
      refresh(at);
      at = this.balance(at).parent;
    }
  }

  /** Restores the AVL rule at `node`; returns the root of the subtree that took its place. */
  private balance(node: IntervalNode<T>): IntervalNode<T> {
    const tilt = heightOf(node.left) - heightOf(node.right);
    if (tilt > 1 && node.left !== null) {
      if (heightOf(node.left.left) < heightOf(node.left.right)) this.rotateLeft(node.left);
      return this.rotateRight(node);
    }
    if (tilt < -1 && node.right !== null) {
      if (heightOf(node.right.right) < heightOf(node.right.left)) this.rotateRight(node.right);
      return this.rotateLeft(node);
    }
    return node;
  }

  private rotateLeft(node: IntervalNode<T>): IntervalNode<T> {
    const up = node.right;
    assert(up !== null, 'left rotation without a right child');
    this.replaceInParent(node, up);
    adopt(node, up.left, 'right');
    adopt(up, node, 'left');
    refresh(node);
    refresh(up);
    return up;
  }

  private rotateRight(node: IntervalNode<T>): IntervalNode<T> {
    const up = node.left;
    assert(up !== null, 'right rotation without a left child');
    this.replaceInParent(node, up);
    adopt(node, up.right, 'left');
    adopt(up, node, 'right');
    refresh(node);
    refresh(up);
    return up;
  }
}

function heightOf<T>(node: IntervalNode<T> | null): number {
  return node === null ? 0 : node.height;
}

function adopt<T>(parent: IntervalNode<T>, child: IntervalNode<T> | null, side: 'left' | 'right'): void {
  if (side === 'left') parent.left = child;
  else parent.right = child;
  if (child !== null) child.parent = parent;
}

/** Recomputes what a node says about its subtree from its children. */
function refresh<T>(node: IntervalNode<T>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  let maxEnd = node.end;
  if (left !== null && left.maxEnd > maxEnd) maxEnd = left.maxEnd;
  if (right !== null && right.maxEnd > maxEnd) maxEnd = right.maxEnd;
  node.maxEnd = maxEnd;
}

function leftmost<T>(node: IntervalNode<T>): IntervalNode<T> {
  let at = node;
  while (at.left !== null) at = at.left;
  return at;
}

function rightmost<T>(node: IntervalNode<T>): IntervalNode<T> {
  let at = node;
  while (at.right !== null) at = at.right;
  return at;
}

function nextAncestor<T>(node: IntervalNode<T>): IntervalNode<T> | null {
  let child = node;
  let parent = node.parent;
  while (parent !== null && parent.right === child) {
    child = parent;
    parent = parent.parent;
  }
  return parent;
}

function previousAncestor<T>(node: IntervalNode<T>): IntervalNode<T> | null {
  let child = node;
  let parent = node.parent;
  while (parent !== null && parent.left === child) {
    child = parent;
    parent = parent.parent;
  }
  return parent;
}

/**
 * The first overlap in one subtree. One descent suffices: when the left subtree reaches beyond `start`, its leftmost node
 * that does either overlaps or starts at or after `end`, and then so does everything right of it.
 */
function firstOverlapBelow<T>(
  subtree: IntervalNode<T> | null,
  start: number,
  end: number,
): IntervalNode<T> | null {
  let at = subtree;
  while (at !== null && at.maxEnd > start) {
    const left: IntervalNode<T> | null = at.left;
    if (left !== null && left.maxEnd > start) {
      at = left;
      continue;
    }
    if (at.start >= end) return null;
    if (at.end > start) return at;
    at = at.right;
  }
  return null;
}
