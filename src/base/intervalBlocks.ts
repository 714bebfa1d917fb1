/** The storage of an interval tree: blocks of sorted entries in flat arrays, so that a search touches few cache lines. */

import { assert } from './assert.js';
import { areStored, entriesUpTo, GROUP, groupsUpTo } from './blockSearch.js';

/** Entries of a block; a power of two. The more, the fewer levels; but insertion moves half of them. */
const BLOCK = 32;
const BLOCK_BITS = 5;
/** Inner blocks lie side by side in lots of up to this many: between leaves, each would be on a memory page of its own. */
const LOT_MAX = 64;
/** No block, no slot. */
export const NONE = -1;
/** A block with fewer entries looks for a neighbour to join. */
const FEW = BLOCK / 4;
/** Two neighbours with more entries than this stay apart, so that the next insertion does not part them again. */
const JOINED_MAX = (BLOCK * 3) / 4;
const NEVER = Number.POSITIVE_INFINITY;
/** Memory apart from the engine's heap takes longer to get than an interval takes to insert. */
const NO_KIDS = new Int32Array(0);
/** The slots of a block without entries, to be copied: filling them one by one is most of what a small tree costs. */
const FREE_NUMBERS = slotsOf(NEVER);
const FREE_ITEMS = slotsOf(null);

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
  /** For each slot: what a search by end compares with, apart from all else, so that the inner blocks of a million entries stay in a cache. */
  private readonly reaches = FREE_NUMBERS.slice();
  /** For each slot. */
  private readonly starts = FREE_NUMBERS.slice();
  /** For each slot the end of the interval, or the largest end in the child. */
  private readonly ends = FREE_NUMBERS.slice();
  /** For each slot of an inner block; nobody asks for a leaf's. There are none as long as the only block is a leaf, and most trees stay so. */
  private kids = NO_KIDS;
  /** For each slot of a leaf. */
  private readonly items: (I | null)[] = FREE_ITEMS.slice();
  /** The items' values, for look-ups that want no more: items lie scattered in memory. */
  private readonly values: (T | null)[] = FREE_ITEMS.slice();
  private readonly counts: number[] = [0];
  private readonly parents: number[] = [NONE];
  /** By block: whether its entries are child blocks. */
  private readonly inner: boolean[] = [false];
  /** Blocks that are not in use. */
  private readonly freeLeaves: number[] = [];
  private readonly freeInner: number[] = [];
  private innerBlocks = 0;
  /** At first the only block, a leaf. */
  private root = 0;
  /** Levels of inner blocks above the leaves. */
  private depth = 0;

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
    return this.starts[slot];
  }

  endAt(slot: number): number {
    return this.ends[slot];
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
      assert(this.reaches[slot] === reach, 'a reach is not the largest end so far');
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
    const { reaches, starts, kids, values } = this;
    let slot = from * BLOCK;
    for (let level = depth; ; level--) {
      // What is found is wanted next: it comes from memory together with the keys, not after them.
      if (level === 0) assert(areStored(values, starts, slot), 'a block lies outside its storage');
      slot += GROUP * groupsUpTo(reaches, slot, page);
      slot += entriesUpTo(reaches, slot, page);
      if (level === 0) return slot;
      slot = kids[slot] * BLOCK;
    }
  }

  /** How many entries of the block start at or below `page`. */
  private startingUpTo(block: number, page: number): number {
    const { starts } = this;
    const first = block * BLOCK;
    const near = GROUP * groupsUpTo(starts, first, page);
    const isAll = Number(starts[first + near + GROUP - 1] <= page);
    return near + entriesUpTo(starts, first + near, page) + isAll;
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
    return count === 0 ? Number.NEGATIVE_INFINITY : this.reaches[block * BLOCK + count - 1];
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
    const right = this.newBlock(blockOf(slot), this.inner[block]);
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
    this.root = this.newBlock(NONE, true);
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
      this.freeInner.push(this.root);
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
    this.freeListOf(this.inner[block]).push(block);
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
      this.starts[slot] = start;
      this.ends[slot] = end;
      block = blockOf(slot);
      this.refreshReach(block, indexOf(slot));
    }
  }

  private refreshReach(block: number, index: number): void {
    const first = block * BLOCK;
    const limit = first + this.counts[block];
    let reach = index === 0 ? Number.NEGATIVE_INFINITY : this.reaches[first + index - 1];
    for (let slot = first + index; slot < limit; slot++) {
      if (this.ends[slot] > reach) reach = this.ends[slot];
      this.reaches[slot] = reach;
    }
  }

  private fill(slot: number, start: number, end: number, item: I | null, kid: number): void {
    this.starts[slot] = start;
    this.ends[slot] = end;
    this.items[slot] = item;
    this.values[slot] = item === null ? null : item.value;
    if (item !== null) {
      item.block = blockOf(slot);
      return;
    }
    this.kids[slot] = kid;
    this.parents[kid] = blockOf(slot);
  }

  private move(from: number, to: number): void {
    const { reaches, starts, ends, items, values, kids } = this;
    const item = items[from];
    reaches[to] = reaches[from];
    starts[to] = starts[from];
    ends[to] = ends[from];
    items[to] = item;
    values[to] = values[from];
    const block = blockOf(to);
    if (item !== null) {
      if (block !== blockOf(from)) item.block = block;
      return;
    }
    kids[to] = kids[from];
    if (block !== blockOf(from)) this.parents[kids[to]] = block;
  }

  private clear(slot: number): void {
    this.reaches[slot] = NEVER;
    this.starts[slot] = NEVER;
    this.ends[slot] = NEVER;
    this.items[slot] = null;
    this.values[slot] = null;
  }

  private freeListOf(isInner: boolean): number[] {
    return isInner ? this.freeInner : this.freeLeaves;
  }

  private newBlock(parent: number, isInner: boolean): number {
    const block = this.freeListOf(isInner).pop() ?? this.addBlocks(isInner);
    this.counts[block] = 0;
    this.parents[block] = parent;
    return block;
  }

  /** The first of some new blocks; the others are free. There come as many inner ones at once as there are, so that small trees stay small. */
  private addBlocks(isInner: boolean): number {
    const first = this.inner.length;
    const lot = isInner ? Math.min(LOT_MAX, Math.max(1, this.innerBlocks)) : 1;
    for (let i = 0; i < lot; i++) this.addBlock(isInner);
    for (let i = lot - 1; i > 0; i--) this.freeInner.push(first + i);
    if (isInner) this.innerBlocks += lot;
    return first;
  }

  private addBlock(isInner: boolean): void {
    if (isInner) this.makeRoomForKids((this.inner.length + 1) * BLOCK);
    for (let i = 0; i < BLOCK; i++) {
      this.reaches.push(NEVER);
      this.starts.push(NEVER);
      this.ends.push(NEVER);
      this.items.push(null);
      this.values.push(null);
    }
    this.counts.push(0);
    this.parents.push(NONE);
    this.inner.push(isInner);
  }

  private makeRoomForKids(slots: number): void {
    let room = Math.max(BLOCK, this.kids.length);
    while (room < slots) room *= 2;
    if (room === this.kids.length) return;
    const grown = new Int32Array(room);
    grown.set(this.kids);
    this.kids = grown;
  }
}

function blockOf(slot: number): number {
  return slot >> BLOCK_BITS;
}

function indexOf(slot: number): number {
  return slot & (BLOCK - 1);
}

/** Pushed one by one: an array that is made at its length counts as one with holes, and is read more slowly for ever. */
function slotsOf<V>(value: V): readonly V[] {
  const slots: V[] = [];
  for (let i = 0; i < BLOCK; i++) slots.push(value);
  return slots;
}
