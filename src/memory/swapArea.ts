/** A swap area: slots of one page each, outside physical memory, with the count of entries that name each slot. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import { PAGE_BYTES } from '../base/units.js';
import { AllocSite, type FailureInjector, type Injectable } from './failureInjector.js';
import { NO_PFN, type Pfn } from './pfn.js';
import type { PhysicalMemory } from './physicalMemory.js';

/** Number of a slot; it takes the place of a page frame number in a swap entry. @kernel swp_entry_t */
export type SwapSlot = Brand<number, 'SwapSlot'>;

/** No slot has this number. */
export const NO_SLOT = 0 as SwapSlot;

/** As many as fit into the frame number of an entry. */
const SLOTS_MAX = 2 ** 22 - 1;

interface SlotState {
  /** Null until the first write. */
  bytes: Uint8Array | null;
  /** Page-table entries that name the slot. @kernel swap_map */
  count: number;
  /** The folio in the swap cache that holds the slot's content; NO_PFN for none. @kernel SWAP_HAS_CACHE */
  folio: Pfn;
}

/** A slot is in use as long as an entry names it or the swap cache has it. Owned by the coordinator. @kernel swap_info_struct */
export class SwapArea implements Injectable {
  injector: FailureInjector | null = null;
  /** Pages written and read, for reports. @kernel pswpout, pswpin */
  writes = 0;
  reads = 0;
  private readonly slots = new Map<SwapSlot, SlotState>();
  private readonly freed: SwapSlot[] = [];
  private next = 1;

  /** `totalSlots` 0 stands for a machine without swap. */
  constructor(readonly totalSlots: number = SLOTS_MAX) {
    assert(totalSlots >= 0 && totalSlots <= SLOTS_MAX, 'a swap area of that size has no slot numbers');
  }

  get usedSlots(): number {
    return this.slots.size;
  }

  /** Each slot in use, with what uses it: for checkers. */
  *inUse(): Generator<{ slot: SwapSlot; count: number; folio: Pfn }> {
    for (const [slot, { count, folio }] of this.slots) yield { slot, count, folio };
  }

  /** A slot for a folio that goes into the swap cache; NO_SLOT when there is none. @kernel folio_alloc_swap */
  alloc(folio: Pfn): SwapSlot {
    if (this.injector?.shouldFail(AllocSite.SwapSlot) || this.slots.size === this.totalSlots) return NO_SLOT;
    const slot = this.freed.pop() ?? (this.next++ as SwapSlot);
    this.slots.set(slot, { bytes: null, count: 0, folio });
    return slot;
  }

  /** Entries that name the slot. @kernel swap_swapcount */
  count(slot: SwapSlot): number {
    return this.state(slot).count;
  }

  /** Whether the number is that of a slot in use. */
  isUsed(slot: SwapSlot): boolean {
    return this.slots.has(slot);
  }

  /** One more entry names the slot. @kernel swap_duplicate */
  duplicate(slot: SwapSlot): void {
    this.state(slot).count++;
  }

  /** One entry fewer names the slot. @kernel swap_free */
  free(slot: SwapSlot): void {
    const state = this.state(slot);
    assert(state.count > 0, 'a swap entry is freed once too often');
    state.count--;
    this.releaseIfUnused(slot, state);
  }

  /** The folio of the swap cache that holds the slot's content, or NO_PFN. @kernel filemap_get_folio */
  folioOf(slot: SwapSlot): Pfn {
    return this.state(slot).folio;
  }

  /** Puts a folio into the swap cache, or takes it out with NO_PFN. */
  setFolio(slot: SwapSlot, folio: Pfn): void {
    const state = this.state(slot);
    assert((state.folio === NO_PFN) !== (folio === NO_PFN), 'the swap cache holds one folio per slot');
    state.folio = folio;
    this.releaseIfUnused(slot, state);
  }

  /** Another folio takes over the content of the slot. */
  replaceFolio(slot: SwapSlot, to: Pfn): void {
    const state = this.state(slot);
    assert(state.folio !== NO_PFN && to !== NO_PFN, 'a slot changes its folio without one');
    state.folio = to;
  }

  /** @kernel swap_writepage */
  write(slot: SwapSlot, memory: PhysicalMemory, from: Pfn): void {
    const state = this.state(slot);
    state.bytes ??= new Uint8Array(PAGE_BYTES);
    state.bytes.set(memory.bytes.subarray(from * PAGE_BYTES, (from + 1) * PAGE_BYTES));
    this.writes++;
  }

  /** @kernel swap_read_folio */
  read(slot: SwapSlot, memory: PhysicalMemory, to: Pfn): void {
    const { bytes } = this.state(slot);
    assert(bytes !== null, 'a swap slot is read that was never written');
    memory.bytes.set(bytes, to * PAGE_BYTES);
    this.reads++;
  }

  /** The words of a slot that was written. */
  contentOf(slot: SwapSlot): Int32Array {
    const words = this.wordsOf(slot);
    assert(words !== null, 'a swap slot is read that was never written');
    return words;
  }

  /** The words of a slot that was written, for checkers; null otherwise. */
  wordsOf(slot: SwapSlot): Int32Array | null {
    const bytes = this.slots.get(slot)?.bytes ?? null;
    return bytes === null ? null : new Int32Array(bytes.buffer);
  }

  private releaseIfUnused(slot: SwapSlot, { count, folio }: SlotState): void {
    if (count > 0 || folio !== NO_PFN) return;
    this.slots.delete(slot);
    this.freed.push(slot);
  }

  private state(slot: SwapSlot): SlotState {
    const state = this.slots.get(slot);
    assert(state !== undefined, 'a swap slot is used that is free');
    return state;
  }
}
