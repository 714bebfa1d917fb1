/** The storage of an interval tree: blocks of sorted entries in flat arrays, so that a search touches few cache lines. */

import { assert } from './assert.js';

/** Entries of a block; a power of two. The more, the fewer levels; but insertion moves half of them. */
const BLOCK = 32;
const BLOCK_BITS = 5;
/**
 * A search first finds the group of entries, whose keys are a cache line, then the entry. Loads of a round do not wait for one another, and the line
 * of the second round has come with the first.
 */
const GROUP = 4;
const KEYS_OF_GROUP = 2 * GROUP;
/** No block, no slot. */
export const NONE = -1;
/** A block with fewer entries looks for a neighbour to join. */
const FEW = BLOCK / 4;
/** Two neighbours with more entries than this stay apart, so that the next insertion does not part them again. */
const JOINED_MAX = (BLOCK * 3) / 4;
const NEVER = Number.POSITIVE_INFINITY;

/** What the tree's items keep for it. */
export interface Stored<T> {
  readonly value: T;
  /** The leaf that has the item; NONE while no tree has it. */
  block: number;
}

/**
 * A B+-tree. An entry is an interval with its item in a leaf, or a child block in an inner block; entry `i` of block `b` lies in *slot*
 * `b * BLOCK + i`. Entries are sorted by start. The *reach* of an entry is the largest end among it and the entries before it in its block. Reaches
 * ascend although ends need not, so that the first entry that ends above a page is found by binary search. Slots that are not in use start and
 * reach infinitely far. Changes move items between slots; only `block` of an item says where it is.
 */
export class IntervalBlocks<T, I extends Stored<T>> {
  /** Two for each slot, side by side since a search wants both: reach, then start. */
  private readonly keys: number[] = [];
  /** For each slot the end of the interval, or the largest end in the child. */
  private readonly ends: number[] = [];
  /** For each slot of an inner block. */
  private readonly kids: number[] = [];
  /** For each slot of a leaf. */
  private readonly items: (I | null)[] = [];
  /** The items' values, for look-ups that want no more: items lie scattered in memory. */
  private readonly values: (T | null)[] = [];
  private readonly counts: number[] = [];
  private readonly parents: number[] = [];
  private readonly free: number[] = [];
  private root: number;
  /** Levels of inner blocks above the leaves. */
  private depth = 0;

  constructor() {
    this.root = this.newBlock(NONE);
  }

  /** The first slot, in order, whose interval ends above `page`; or NONE. */
  firstEndingAfter(page: number): number {
    return this.maxEnd(this.root) > page ? this.firstBelow(this.root, this.depth, page) : NONE;
  }

  /** As {@link firstEndingAfter}, among the slots after the one given. */
  nextEndingAfter(slot: number, page: number): number {
    let from = slot;
    for (let level = 0; ; level++) {
      const block = blockOf(from);
      const limit = block * BLOCK + this.counts[block];
      for (let at = from + 1; at < limit; at++) {
        if (this.ends[at] > page) return level === 0 ? at : this.firstBelow(this.kids[at], level - 1, page);
      }
      if (block === this.root) return NONE;
      from = this.slotInParent(block);
    }
  }

  /** The last slot whose interval starts at or below `page`; or NONE. */
  lastStartingUpTo(page: number): number {
    let block = this.root;
    for (let level = this.depth; level > 0; level--) {
      const after = this.startingUpTo(block, page);
      if (after === 0) return NONE;
      block = this.kids[block * BLOCK + after - 1];
    }
    const after = this.startingUpTo(block, page);
    return after === 0 ? NONE : block * BLOCK + after - 1;
  }

  next(slot: number): number {
    let at = slot;
    for (let level = 0; ; level++) {
      const block = blockOf(at);
      if (at + 1 < block * BLOCK + this.counts[block]) return this.outermost(at + 1, level, false);
      if (block === this.root) return NONE;
      at = this.slotInParent(block);
    }
  }

  previous(slot: number): number {
    let at = slot;
    for (let level = 0; ; level++) {
      const block = blockOf(at);
      if (at > block * BLOCK) return this.outermost(at - 1, level, true);
      if (block === this.root) return NONE;
      at = this.slotInParent(block);
    }
  }

  first(): number {
    return this.counts[this.root] === 0 ? NONE : this.outermost(this.root * BLOCK, this.depth, false);
  }

  last(): number {
    const count = this.counts[this.root];
    return count === 0 ? NONE : this.outermost(this.root * BLOCK + count - 1, this.depth, true);
  }

  startAt(slot: number): number {
    return this.keys[2 * slot + 1];
  }

  valueAt(slot: number): T | null {
    return this.values[slot];
  }

  itemAt(slot: number): I {
    const item = this.items[slot];
    assert(item !== null, 'a slot of an interval tree is not in use');
    return item;
  }

  slotOf(item: I): number {
    let slot = item.block * BLOCK;
    const limit = slot + BLOCK;
    while (slot < limit && this.items[slot] !== item) slot++;
    assert(slot < limit, 'an interval is not in its block');
    return slot;
  }

  /** After all intervals with the same start. */
  insert(start: number, end: number, item: I): void {
    let block = this.root;
    for (let level = this.depth; level > 0; level--) {
      block = this.kids[block * BLOCK + Math.max(this.startingUpTo(block, start) - 1, 0)];
    }
    const index = this.startingUpTo(block, start);
    const slot = this.openSlot(block, index);
    this.fill(slot, start, end, item, NONE);
    this.settle(blockOf(slot), indexOf(slot));
  }

  remove(item: I): void {
    const slot = this.slotOf(item);
    item.block = NONE;
    this.closeSlot(slot);
  }

  /** Levels of blocks. */
  get levels(): number {
    return this.depth + 1;
  }

  /** Asserts the rules of the structure; for tests. */
  check(): void {
    assert(this.parents[this.root] === NONE, 'the root of an interval tree has a parent');
    this.checkBlock(this.root, this.depth);
  }

  private checkBlock(block: number, level: number): void {
    const first = block * BLOCK;
    const count = this.counts[block];
    let reach = Number.NEGATIVE_INFINITY;
    for (let slot = first; slot < first + BLOCK; slot++) {
      const used = slot < first + count;
      if (used) this.checkEntry(slot, block, level);
      reach = used ? Math.max(reach, this.ends[slot]) : NEVER;
      assert(this.keys[2 * slot] === reach, 'a reach is not the largest end so far');
      assert(used || this.startAt(slot) === NEVER, 'an unused slot has a start');
      assert(slot === first || this.startAt(slot) >= this.startAt(slot - 1), 'starts do not ascend');
    }
  }

  private checkEntry(slot: number, block: number, level: number): void {
    if (level === 0) {
      const item = this.itemAt(slot);
      assert(item.block === block, 'an interval does not know its block');
      assert(item.value === this.values[slot], 'a slot has the value of another');
      return;
    }
    const kid = this.kids[slot];
    assert(this.counts[kid] > 0 && this.parents[kid] === block, 'an inner block has a child of another');
    assert(this.startAt(slot) === this.startAt(kid * BLOCK), 'a child starts elsewhere');
    assert(this.ends[slot] === this.maxEnd(kid), 'a child ends elsewhere');
    this.checkBlock(kid, level - 1);
  }

  /**
   * Inside a subtree that has one. Counts instead of branching: which way a random search turns cannot be predicted, and loads that do not wait
   * for one another's outcome overlap.
   */
  private firstBelow(from: number, depth: number, page: number): number {
    const { keys, kids, values } = this;
    let slot = from * BLOCK;
    for (let level = depth; ; level--) {
      // What is found is wanted next: it comes from memory together with the keys, not after them.
      if (level === 0) assert(values[slot] !== undefined, 'a block lies outside its storage');
      slot += GROUP * groupsUpTo(keys, 2 * slot, page);
      slot += entriesUpTo(keys, 2 * slot, page);
      if (level === 0) return slot;
      slot = kids[slot] * BLOCK;
    }
  }

  /** How many entries of the block start at or below `page`. */
  private startingUpTo(block: number, page: number): number {
    const { keys } = this;
    const first = 2 * block * BLOCK + 1;
    const groups = groupsUpTo(keys, first, page);
    const near = first + KEYS_OF_GROUP * groups;
    const isAll = Number(keys[near + KEYS_OF_GROUP - 2] <= page);
    return GROUP * groups + entriesUpTo(keys, near, page) + isAll;
  }

  /** The slot in a leaf that comes first or last below an entry. */
  private outermost(slot: number, level: number, last: boolean): number {
    let at = slot;
    for (let left = level; left > 0; left--) {
      const kid = this.kids[at];
      at = kid * BLOCK + (last ? this.counts[kid] - 1 : 0);
    }
    return at;
  }

  /** Below every page where the block is empty. */
  private maxEnd(block: number): number {
    const count = this.counts[block];
    return count === 0 ? Number.NEGATIVE_INFINITY : this.keys[2 * (block * BLOCK + count - 1)];
  }

  private slotInParent(block: number): number {
    let slot = this.parents[block] * BLOCK;
    while (this.kids[slot] !== block) slot++;
    return slot;
  }

  /** Makes room at `index` of a block, which is split where it is full; the slot is counted but not filled. */
  private openSlot(into: number, at: number): number {
    let block = into;
    let index = at;
    if (this.counts[block] === BLOCK) {
      const right = this.split(block, index === BLOCK ? BLOCK : BLOCK / 2);
      if (index > this.counts[block] || this.counts[right] === 0) {
        index -= this.counts[block];
        block = right;
      }
    }
    const first = block * BLOCK;
    for (let slot = first + this.counts[block]; slot > first + index; slot--) this.move(slot - 1, slot);
    this.counts[block]++;
    return first + index;
  }

  /** All entries from `keep` on go to a new block on the right; none do where a new one is about to come there, so that what ascends fills its blocks. */
  private split(block: number, keep: number): number {
    if (block === this.root) this.growRoot();
    const slot = this.openSlot(this.parents[block], indexOf(this.slotInParent(block)) + 1);
    const right = this.newBlock(blockOf(slot));
    this.fill(slot, NEVER, NEVER, null, right);
    for (let i = keep; i < BLOCK; i++) {
      this.move(block * BLOCK + i, right * BLOCK + i - keep);
      this.clear(block * BLOCK + i);
    }
    this.counts[block] = keep;
    this.counts[right] = BLOCK - keep;
    this.refreshReach(block, 0);
    this.refreshReach(right, 0);
    if (keep < BLOCK) this.settleParent(right);
    this.settleParent(block);
    return right;
  }

  private growRoot(): void {
    const below = this.root;
    this.root = this.newBlock(NONE);
    this.depth++;
    this.counts[this.root] = 1;
    this.fill(this.root * BLOCK, this.startAt(below * BLOCK), this.maxEnd(below), null, below);
    this.refreshReach(this.root, 0);
  }

  /** Takes an entry out of its block, and the block out of the tree where that was its last one. */
  private closeSlot(slot: number): void {
    const block = blockOf(slot);
    const last = block * BLOCK + this.counts[block] - 1;
    for (let at = slot; at < last; at++) this.move(at + 1, at);
    this.clear(last);
    this.counts[block]--;
    this.refreshReach(block, indexOf(slot));
    if (block === this.root) this.shrinkRoot();
    else if (this.counts[block] === 0) this.drop(block);
    else if (this.counts[block] >= FEW || !this.joinNeighbour(block)) this.settleParent(block);
  }

  private shrinkRoot(): void {
    while (this.depth > 0 && this.counts[this.root] === 1) {
      const slot = this.root * BLOCK;
      const kid = this.kids[slot];
      this.clear(slot);
      this.free.push(this.root);
      this.root = kid;
      this.parents[kid] = NONE;
      this.depth--;
    }
  }

  /** Whether one of the blocks beside it under the same parent had room. */
  private joinNeighbour(block: number): boolean {
    const slot = this.slotInParent(block);
    const index = indexOf(slot);
    if (index > 0 && this.join(this.kids[slot - 1], block)) return true;
    return index + 1 < this.counts[this.parents[block]] && this.join(block, this.kids[slot + 1]);
  }

  private join(left: number, right: number): boolean {
    const had = this.counts[left];
    const come = this.counts[right];
    if (had + come > JOINED_MAX) return false;
    for (let i = 0; i < come; i++) {
      this.move(right * BLOCK + i, left * BLOCK + had + i);
      this.clear(right * BLOCK + i);
    }
    this.counts[left] = had + come;
    this.counts[right] = 0;
    this.refreshReach(left, 0);
    this.drop(right);
    this.settleParent(left);
    return true;
  }

  /** An empty block leaves the tree. */
  private drop(block: number): void {
    const slot = this.slotInParent(block);
    this.free.push(block);
    this.closeSlot(slot);
  }

  /** From an index of a block on, and then upwards as far as something is new there. */
  private settle(block: number, index: number): void {
    this.refreshReach(block, index);
    this.settleParent(block);
  }

  private settleParent(from: number): void {
    for (let block = from; block !== this.root; ) {
      const slot = this.slotInParent(block);
      const start = this.startAt(block * BLOCK);
      const end = this.maxEnd(block);
      if (this.startAt(slot) === start && this.ends[slot] === end) return;
      this.keys[2 * slot + 1] = start;
      this.ends[slot] = end;
      block = blockOf(slot);
      this.refreshReach(block, indexOf(slot));
    }
  }

  private refreshReach(block: number, index: number): void {
    const first = block * BLOCK;
    const limit = first + this.counts[block];
    let reach = index === 0 ? Number.NEGATIVE_INFINITY : this.keys[2 * (first + index - 1)];
    for (let slot = first + index; slot < limit; slot++) {
      if (this.ends[slot] > reach) reach = this.ends[slot];
      this.keys[2 * slot] = reach;
    }
  }

  private fill(slot: number, start: number, end: number, item: I | null, kid: number): void {
    this.keys[2 * slot + 1] = start;
    this.ends[slot] = end;
    this.items[slot] = item;
    this.values[slot] = item === null ? null : item.value;
    this.kids[slot] = kid;
    if (item !== null) item.block = blockOf(slot);
    else this.parents[kid] = blockOf(slot);
  }

  private move(from: number, to: number): void {
    const { keys, ends, items, values, kids } = this;
    const item = items[from];
    keys[2 * to] = keys[2 * from];
    keys[2 * to + 1] = keys[2 * from + 1];
    ends[to] = ends[from];
    items[to] = item;
    values[to] = values[from];
    kids[to] = kids[from];
    const block = blockOf(to);
    if (block === blockOf(from)) return;
    if (item !== null) item.block = block;
    else this.parents[kids[to]] = block;
  }

  private clear(slot: number): void {
    this.keys[2 * slot] = NEVER;
    this.keys[2 * slot + 1] = NEVER;
    this.ends[slot] = NEVER;
    this.items[slot] = null;
    this.values[slot] = null;
    this.kids[slot] = NONE;
  }

  private newBlock(parent: number): number {
    let block = this.free.pop();
    if (block === undefined) {
      block = this.counts.length;
      for (let i = 0; i < BLOCK; i++) {
        this.keys.push(NEVER, NEVER);
        this.ends.push(NEVER);
        this.kids.push(NONE);
        this.items.push(null);
        this.values.push(null);
      }
    }
    this.counts[block] = 0;
    this.parents[block] = parent;
    return block;
  }
}

/** Of the groups of entries but the last, how many end with a key at or below `page`. `at`: the first entry's key. */
function groupsUpTo(keys: readonly number[], at: number, page: number): number {
  return (
    Number(keys[at + KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 2 * KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 3 * KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 4 * KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 5 * KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 6 * KEYS_OF_GROUP - 2] <= page) +
    Number(keys[at + 7 * KEYS_OF_GROUP - 2] <= page)
  );
}

/** The same for the entries of a group but its last. */
function entriesUpTo(keys: readonly number[], at: number, page: number): number {
  return Number(keys[at] <= page) + Number(keys[at + 2] <= page) + Number(keys[at + 4] <= page);
}

function blockOf(slot: number): number {
  return slot >> BLOCK_BITS;
}

function indexOf(slot: number): number {
  return slot & (BLOCK - 1);
}
