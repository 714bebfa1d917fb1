/** Four-level page tables in shared memory: written by their owner, walked by every thread that plays an MMU. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { BufferViews } from './bufferViews.js';
import { AllocSite, type FailureInjector, type Injectable } from './failureInjector.js';

const LEVEL_BITS = 9;
/** Entries of a table, of whatever level. */
export const TABLE_ENTRIES = 1 << LEVEL_BITS;
const INDEX_MASK = TABLE_ENTRIES - 1;
/** Levels are numbered as heights: 0 holds the leaf words, 3 is the root. */
const ROOT_LEVEL = 3;
/** Page numbers that two levels cover: the split of a page number into two halves that int32 operators can hold. */
const HALF_SPAN = TABLE_ENTRIES * TABLE_ENTRIES;
/** One past the highest page number that four levels can hold. */
export const TABLE_VPN_END = HALF_SPAN * HALF_SPAN;

/** Is never handed out, and so always zero: a walk from it finds nothing. */
export const NO_TABLE = 0;

/** Words that are looked at together. */
const GROUP = 8;

/** Pages that one entry of a table at each level covers. */
const ENTRY_SPAN: readonly number[] = [1, TABLE_ENTRIES, HALF_SPAN, HALF_SPAN * TABLE_ENTRIES];

/** Equal to no block number, not even to that of a wrong page number. */
const NO_BLOCK = Number.NaN;

/** Index of a page number within its table of the level given. Works above 2^31. */
function indexAt(vpn: number, level: number): number {
  const half = level >= 2 ? Math.floor(vpn / HALF_SPAN) : vpn & (HALF_SPAN - 1);
  return (level & 1) === 1 ? (half >>> LEVEL_BITS) & INDEX_MASK : half & INDEX_MASK;
}

/**
 * The memory that page tables are made of: tables of 512 words in one shared buffer, shared by all tables of one owner.
 * Only the owner allocates and frees; other threads need nothing but `words`. A table that is not in use is all zero,
 * so a new one needs no clearing and a late walker finds nothing in it.
 */
export class TableArena implements Injectable {
  injector: FailureInjector | null = null;
  readonly buffer: SharedArrayBuffer;
  readonly words: Uint32Array;
  /** Tables that can be handed out; table 0 is not one, since 0 in an entry says "no table". */
  readonly totalTables: number;
  private readonly freeStack: Int32Array;
  private free_: number;
  private touchedEnd_ = 0;

  /** A fresh arena over a zeroed buffer that holds a whole number of tables, of which the first stays unused. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = BufferViews.of(buffer).uint32s;
    this.totalTables = this.words.length / TABLE_ENTRIES - 1;
    assert(Number.isInteger(this.totalTables) && this.totalTables > 0, 'table arena of a wrong size');
    this.free_ = this.totalTables;
    this.freeStack = new Int32Array(this.totalTables);
    for (let i = 0; i < this.totalTables; i++) this.freeStack[i] = this.totalTables - i;
  }

  /** Room for `tables` tables, 2 KiB each. */
  static allocate(tables: number): TableArena {
    return new TableArena(new SharedArrayBuffer((tables + 1) * TABLE_ENTRIES * 4));
  }

  /** One past the last table that was ever handed out; 0 for none. */
  get touchedEnd(): number {
    return this.touchedEnd_;
  }

  get freeTables(): number {
    return this.free_;
  }

  /** Index of an all-zero table, or -ENOMEM. @kernel pte_alloc_one */
  allocTable(): number {
    return this.reserve(1) ? this.takeTable() : Errno.ENOMEM;
  }

  /** Whether `tables` tables can be taken now; asked once for all that one operation needs, so that it makes all of them or none. */
  reserve(tables: number): boolean {
    if (this.injector !== null) {
      for (let i = 0; i < tables; i++) if (this.injector.shouldFail(AllocSite.PageTable)) return false;
    }
    return this.free_ >= tables;
  }

  /** After {@link reserve} said yes. */
  takeTable(): number {
    assert(this.free_ > 0, 'a page table is taken that was not reserved');
    const table = this.freeStack[--this.free_];
    this.touchedEnd_ = Math.max(this.touchedEnd_, table + 1);
    return table;
  }

  /** The table must be all zero, and out of reach of every walker. @kernel pte_free */
  freeTable(table: number): void {
    assert(table > 0 && table <= this.totalTables, 'no such page table');
    assert(this.free_ < this.totalTables, 'page table freed twice');
    this.freeStack[this.free_++] = table;
  }

  isZero(table: number): boolean {
    const first = table * TABLE_ENTRIES;
    let at = first;
    while (at < first + TABLE_ENTRIES && isGroupEmpty(this.words, at)) at += GROUP;
    return at === first + TABLE_ENTRIES;
  }

  zero(table: number): void {
    this.words.fill(0, table * TABLE_ENTRIES, (table + 1) * TABLE_ENTRIES);
  }
}

/**
 * A radix tree from page numbers below 2^36 to 32-bit words: the CPU's page table and each GPU's. A *slot* is the index of a
 * leaf word in `arena.words`; slots of pages in the same 512-aligned block are consecutive. A slot stays good until
 * its leaf table is released. What a word means is the caller's; 0 means empty.
 *
 * One thread writes; others may `walk` at any time. @kernel pgd_t, p4d_t, pmd_t, pte_t
 */
export class RadixTable {
  readonly arena: TableArena;
  /** Table index of the top level, which is what a walker needs besides the words. */
  readonly root: number;
  private readonly words: Uint32Array;
  private destroyed = false;
  /** The block (vpn / 512) whose leaf was found last, and that leaf's first slot: loops over pages stay in a block. */
  private cachedBlock = NO_BLOCK;
  private cachedSlot = -1;
  /** Leaf tables that ever were lie in `[madeFrom, madeEnd)`: most tables use a corner of what they could hold, and walks look nowhere else. */
  private madeFrom = TABLE_VPN_END;
  private madeEnd = 0;

  /** @throws RangeError when the arena has no table left for the root. */
  constructor(arena: TableArena) {
    const root = arena.freeTables > 0 ? arena.takeTable() : -1;
    if (root < 0) throw new RangeError(`page-table arena is full: all ${arena.totalTables} tables are used`);
    this.arena = arena;
    this.root = root;
    this.words = arena.words;
  }

  /**
   * How another thread finds a page's word without the owner: slot, or -1 when no leaf table exists. The owner must not
   * release tables under a walker: it waits for walkers (TLB shootdown) before `release`.
   */
  static walk(words: Uint32Array, root: number, vpn: number): number {
    const high = Math.floor(vpn / HALF_SPAN);
    const low = vpn & (HALF_SPAN - 1);
    let table = Atomics.load(words, root * TABLE_ENTRIES + ((high >>> LEVEL_BITS) & INDEX_MASK));
    if (table === 0) return -1;
    table = Atomics.load(words, table * TABLE_ENTRIES + (high & INDEX_MASK));
    if (table === 0) return -1;
    table = Atomics.load(words, table * TABLE_ENTRIES + (low >>> LEVEL_BITS));
    if (table === 0) return -1;
    return table * TABLE_ENTRIES + (low & INDEX_MASK);
  }

  /** The slot of a page, or -1 when its leaf table does not exist. @kernel pte_offset_map */
  slot(vpn: number): number {
    const block = Math.floor(vpn / TABLE_ENTRIES);
    if (block === this.cachedBlock) return this.cachedSlot + (vpn & INDEX_MASK);
    this.checkKey(vpn);
    const slot = this.find(vpn);
    if (slot >= 0) this.remember(block, slot);
    return slot;
  }

  /** As {@link walk}, for the owner, whose own stores these words are. */
  private find(vpn: number): number {
    const { words } = this;
    const high = Math.floor(vpn / HALF_SPAN);
    const low = vpn & (HALF_SPAN - 1);
    let table = words[this.root * TABLE_ENTRIES + ((high >>> LEVEL_BITS) & INDEX_MASK)];
    if (table === 0) return -1;
    table = words[table * TABLE_ENTRIES + (high & INDEX_MASK)];
    if (table === 0) return -1;
    table = words[table * TABLE_ENTRIES + (low >>> LEVEL_BITS)];
    return table === 0 ? -1 : table * TABLE_ENTRIES + (low & INDEX_MASK);
  }

  /** The slot of a page, with tables made as needed; -1, and nothing made, when the arena cannot give them. @kernel pte_alloc */
  ensure(vpn: number): number {
    const found = this.slot(vpn);
    if (found >= 0) return found;
    let table = this.root;
    let reserved = false;
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const entry = table * TABLE_ENTRIES + indexAt(vpn, level);
      table = this.words[entry];
      if (table !== 0) continue;
      if (!reserved && !this.arena.reserve(level)) return -1;
      reserved = true;
      table = this.arena.takeTable();
      Atomics.store(this.words, entry, table);
    }
    this.noteMade(vpn);
    return this.slot(vpn);
  }

  /**
   * The owner's look at a word. It alone changes words but for the bits that walkers mark, which count only when {@link exchange} returns them, so
   * a plain load will do, at a small part of what an atomic one costs: a builtin call on this engine.
   */
  read(slot: number): number {
    return this.words[slot];
  }

  write(slot: number, value: number): void {
    Atomics.store(this.words, slot, value);
  }

  /**
   * Stores a word that no walker can be changing, when a shootdown follows in the same atomic section: others see it by then at the latest, since
   * the shootdown begins with an atomic operation. Far cheaper than {@link write}.
   */
  writeBeforeFlush(slot: number, value: number): void {
    this.words[slot] = value;
  }

  /**
   * Stores `first`, `first + step`, ... where nothing is that a walker could use. Others need not see all of it before the last word, which is
   * stored as by {@link write}: until then they find nothing there, as before.
   */
  writeRun(slot: number, count: number, first: number, step: number): void {
    const { words } = this;
    let value = first;
    for (let at = slot; at < slot + count - 1; at++) {
      words[at] = value;
      value += step;
    }
    this.write(slot + count - 1, value);
  }

  /** All bits that any of the words has. */
  readUnion(slot: number, count: number): number {
    const { words } = this;
    let union = 0;
    for (let at = slot; at < slot + count; at++) union |= words[at];
    return union;
  }

  /** The bits that all of the words have. */
  readIntersection(slot: number, count: number): number {
    const { words } = this;
    let common = words[slot];
    for (let at = slot + 1; at < slot + count; at++) common &= words[at];
    return common >>> 0;
  }

  /** How many words from `slot` on, at most `count`, are each the one before plus `step`. */
  runLength(slot: number, count: number, step: number): number {
    const { words } = this;
    let next = words[slot];
    let at = slot;
    do {
      at++;
      next += step;
    } while (at < slot + count && words[at] === next);
    return at - slot;
  }

  /** {@link exchange} in a table that nobody but its owner walks while it runs. */
  exchangeUnshared(slot: number, value: number): number {
    const old = this.words[slot];
    this.words[slot] = value;
    return old;
  }

  /** Stores a word and returns what a walker may have changed it to meanwhile. @kernel ptep_get_and_clear */
  exchange(slot: number, value: number): number {
    return Atomics.exchange(this.words, slot, value);
  }

  /** The word of a page; 0 when its leaf table does not exist. */
  get(vpn: number): number {
    const slot = this.slot(vpn);
    return slot < 0 ? 0 : this.read(slot);
  }

  /** The first page in `[vpn, end)` whose leaf table exists, or `end`. Holes cost steps per absent table, not per page. */
  nextPopulated(vpn: number, end: number): number {
    assert(vpn >= 0 && end <= TABLE_VPN_END, 'page number beyond the page table');
    const made = end < this.madeEnd ? end : this.madeEnd;
    let at = vpn > this.madeFrom ? vpn : this.madeFrom;
    while (at < made) {
      const missing = this.missingSpan(at);
      if (missing === 0) return at;
      at = (Math.floor(at / missing) + 1) * missing;
    }
    return end;
  }

  /** The first slot of `[slot, end)`, which lies in one leaf, whose word is not empty, or `end`. */
  nextUsedSlot(slot: number, end: number): number {
    let at = slot;
    while (at < end && this.words[at] === 0) {
      const startsEmptyGroup = at % GROUP === 0 && at + GROUP <= end && isGroupEmpty(this.words, at);
      at += startsEmptyGroup ? GROUP : 1;
    }
    return at;
  }

  /** Visits every word that is not empty, in order, while no table comes or goes. For a moment at which no walker changes words. */
  forEach(visit: (vpn: number, word: number) => void): void {
    this.visitBelow(this.root, ROOT_LEVEL, 0, visit);
  }

  private visitBelow(
    table: number,
    level: number,
    base: number,
    visit: (vpn: number, word: number) => void,
  ): void {
    if (level === 0) {
      this.visitLeaf(table, base, visit);
      return;
    }
    const first = table * TABLE_ENTRIES;
    const end = this.entriesEnd(level, base);
    for (let i = this.entriesFrom(level, base); i < end; i++) {
      const child = this.words[first + i];
      if (child !== 0) this.visitBelow(child, level - 1, base + i * ENTRY_SPAN[level], visit);
    }
  }

  /** By groups: most leaves of small address spaces are all but empty. */
  private visitLeaf(table: number, base: number, visit: (vpn: number, word: number) => void): void {
    const first = table * TABLE_ENTRIES;
    for (let group = 0; group < TABLE_ENTRIES; group += GROUP) {
      if (isGroupEmpty(this.words, first + group)) continue;
      for (let i = group; i < group + GROUP; i++) {
        const word = this.words[first + i];
        if (word !== 0) visit(base + i, word);
      }
    }
  }

  /**
   * Frees the tables, leaf and upper, that lie wholly inside `[start, end)` and are all zero; others stay. As in the kernel the caller widens
   * the range to what neighbouring mappings leave free. `shootdown` runs between unlinking and freeing: on its return no walker can still be
   * inside a table that is no longer linked.
   *
   * @kernel free_pgtables
   */
  release(start: number, end: number, shootdown: () => void): void {
    assert(start >= 0 && start <= end && end <= TABLE_VPN_END, 'page number beyond the page table');
    const unlinked: number[] = [];
    this.releaseBelow(this.root, ROOT_LEVEL, 0, start, end, unlinked);
    this.forget();
    if (unlinked.length === 0) return;
    shootdown();
    for (const table of unlinked) this.arena.freeTable(table);
  }

  /** Frees every table, whatever it holds. The object is dead afterwards. @kernel exit_mmap, pgd_free */
  destroy(): void {
    assert(!this.destroyed, 'page table destroyed twice');
    this.destroyed = true;
    this.forget();
    this.destroyBelow(this.root, ROOT_LEVEL, 0);
  }

  /** Whether the table exists that a leaf table for the page would hang on. @kernel mm_find_pmd */
  hasUpperTable(vpn: number): boolean {
    return this.missingSpan(vpn) <= TABLE_ENTRIES;
  }

  /** Pages covered by the highest absent entry on the way to a page: 0 when its leaf exists. */
  private missingSpan(vpn: number): number {
    let table = this.root;
    for (let level = ROOT_LEVEL; level > 0; level--) {
      table = this.words[table * TABLE_ENTRIES + indexAt(vpn, level)];
      if (table === 0) return ENTRY_SPAN[level];
    }
    return 0;
  }

  /** Releases what it can under `table`, which covers pages from `base` on. */
  private releaseBelow(
    table: number,
    level: number,
    base: number,
    start: number,
    end: number,
    unlinked: number[],
  ): void {
    const span = ENTRY_SPAN[level];
    const first = Math.max(this.entriesFrom(level, base), Math.floor((start - base) / span));
    const limit = Math.min(this.entriesEnd(level, base), Math.ceil((end - base) / span));
    for (let i = first; i < limit; i++) {
      const entry = table * TABLE_ENTRIES + i;
      const child = this.words[entry];
      if (child === 0) continue;
      const childBase = base + i * span;
      if (level > 1) this.releaseBelow(child, level - 1, childBase, start, end, unlinked);
      const inside = childBase >= start && childBase + span <= end;
      if (!inside || !this.arena.isZero(child)) continue;
      Atomics.store(this.words, entry, 0);
      unlinked.push(child);
    }
  }

  private destroyBelow(table: number, level: number, base: number): void {
    if (level > 0) {
      const end = this.entriesEnd(level, base);
      for (let i = this.entriesFrom(level, base); i < end; i++) {
        const child = this.words[table * TABLE_ENTRIES + i];
        if (child !== 0) this.destroyBelow(child, level - 1, base + i * ENTRY_SPAN[level]);
      }
    }
    this.arena.zero(table);
    this.arena.freeTable(table);
  }

  private noteMade(vpn: number): void {
    const block = vpn - (vpn & INDEX_MASK);
    if (block < this.madeFrom) this.madeFrom = block;
    if (block + TABLE_ENTRIES > this.madeEnd) this.madeEnd = block + TABLE_ENTRIES;
  }

  /** The first entry of a table for pages from `base` on that can lead to anything. */
  private entriesFrom(level: number, base: number): number {
    return this.madeFrom <= base ? 0 : Math.floor((this.madeFrom - base) / ENTRY_SPAN[level]);
  }

  /** One past the last one. */
  private entriesEnd(level: number, base: number): number {
    const spans = Math.ceil((this.madeEnd - base) / ENTRY_SPAN[level]);
    return spans < TABLE_ENTRIES ? spans : TABLE_ENTRIES;
  }

  private checkKey(vpn: number): void {
    assert(!this.destroyed, 'page table used after it was destroyed');
    assert(vpn >= 0 && vpn < TABLE_VPN_END, 'page number beyond the page table');
  }

  private remember(block: number, slot: number): void {
    this.cachedBlock = block;
    this.cachedSlot = slot - (slot & INDEX_MASK);
  }

  private forget(): void {
    this.cachedBlock = NO_BLOCK;
    this.cachedSlot = -1;
  }
}

function isGroupEmpty(words: Uint32Array, at: number): boolean {
  const low = words[at] | words[at + 1] | words[at + 2] | words[at + 3];
  const high = words[at + 4] | words[at + 5] | words[at + 6] | words[at + 7];
  return (low | high) === 0;
}
