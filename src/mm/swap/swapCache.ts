/** The swap cache: folios of anonymous memory that have a slot in the swap area, and the entries that name slots. */

import { assert } from '../../base/assert.js';
import { FolioFlag, type FolioTable } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { PhysicalMemory } from '../../memory/physicalMemory.js';
import { NO_SLOT, SwapArea, type SwapSlot } from '../../memory/swapArea.js';
import { makePte, type Pte, PteBit, PteKind, pteKind, ptePfn } from '../table/pte.js';

/** An entry that names a swap slot. @kernel swp_entry_to_pte */
export function makeSwapPte(slot: SwapSlot, bits: number): Pte {
  return makePte(PteKind.Swap, slot as number as Pfn, bits);
}

/** @kernel pte_to_swp_entry */
export function swapSlotOf(pte: Pte): SwapSlot {
  assert(pteKind(pte) === PteKind.Swap, 'not a swap entry');
  return ptePfn(pte) as number as SwapSlot;
}

/** What a swap entry keeps of the entry that it replaced. @kernel pte_swp_soft_dirty, pte_swp_uffd_wp */
export const SWAP_CARRIED = PteBit.SoftDirty | PteBit.UffdWp;

/** A folio in the cache has one reference of the cache, and FolioFlag.Swapcache. All methods are atomic. @kernel swapper_spaces */
export class SwapCache {
  private readonly slots = new Map<Pfn, SwapSlot>();

  constructor(
    private readonly folios: FolioTable,
    private readonly memory: PhysicalMemory,
    readonly area: SwapArea = new SwapArea(),
  ) {}

  /** Folios in the cache. */
  get size(): number {
    return this.slots.size;
  }

  /** The folios in the cache, for checkers. */
  get cached(): ReadonlyMap<Pfn, SwapSlot> {
    return this.slots;
  }

  /** Gives a locked folio a slot. It is dirty then, whatever it was: the slot holds nothing yet. False when no slot is left. @kernel add_to_swap */
  add(folio: Pfn): boolean {
    assert(this.folios.isLocked(folio), 'a folio goes to the swap cache unlocked');
    const slot = this.area.alloc(folio);
    if (slot === NO_SLOT) return false;
    this.enter(folio, slot);
    this.folios.setFlag(folio, FolioFlag.Dirty);
    return true;
  }

  /** Makes a fresh folio the slot's content, clean. @kernel read_swap_cache_async */
  readIn(slot: SwapSlot, folio: Pfn): void {
    this.area.setFolio(slot, folio);
    this.enter(folio, slot);
    this.area.read(slot, this.memory, folio);
  }

  /** Writes a dirty folio to its slot. @kernel pageout */
  writeOut(folio: Pfn): void {
    this.area.write(this.slotOf(folio), this.memory, folio);
    this.folios.clearFlag(folio, FolioFlag.Dirty);
  }

  slotOf(folio: Pfn): SwapSlot {
    const slot = this.slots.get(folio);
    assert(slot !== undefined, 'folio is not in the swap cache');
    return slot;
  }

  /** Takes a folio out; the caller holds a reference of its own. @kernel delete_from_swap_cache */
  remove(folio: Pfn): void {
    const slot = this.slotOf(folio);
    this.slots.delete(folio);
    this.area.setFolio(slot, NO_PFN);
    this.folios.clearFlag(folio, FolioFlag.Swapcache);
    this.folios.put(folio);
  }

  /** Puts another folio with the same content in the place of one: the identity of `from` is to move. @kernel __folio_migrate_mapping */
  replace(from: Pfn, to: Pfn): void {
    const slot = this.slotOf(from);
    this.slots.delete(from);
    this.area.replaceFolio(slot, to);
    this.enter(to, slot);
    this.folios.clearFlag(from, FolioFlag.Swapcache);
    this.folios.put(from);
  }

  /**
   * Takes a locked folio out if no entry names its slot; what it holds is nowhere else then, so it is dirty. False if it stays, or was not
   * in. @kernel folio_free_swap
   */
  freeSwap(folio: Pfn): boolean {
    if (!this.folios.testFlag(folio, FolioFlag.Swapcache)) return false;
    if (this.area.count(this.slotOf(folio)) > 0) return false;
    this.folios.setFlag(folio, FolioFlag.Dirty);
    this.remove(folio);
    return true;
  }

  /** The last mapping of a folio may have gone: nobody will come for what the cache holds. The caller has a reference. @kernel free_swap_cache */
  dropIfUnused(folio: Pfn): void {
    const { folios } = this;
    if (
      folios.testFlag(folio, FolioFlag.Swapcache) &&
      folios.mapcount(folio) === 0 &&
      !folios.isLocked(folio)
    )
      this.freeSwap(folio);
  }

  /**
   * Gives a reference to a page of RAM back. Whoever took the page's last entry away while others held or had locked it has left it in the cache, so
   * each of them looks. @kernel free_page_and_swap_cache
   */
  put(page: Pfn): void {
    this.dropIfUnused(this.folios.headOf(page));
    this.folios.put(page);
  }

  /** An entry that names the slot was cleared; its folio goes too if nobody else wants it. @kernel free_swap_and_cache */
  releaseEntry(pte: Pte): void {
    const slot = swapSlotOf(pte);
    const folio = this.area.folioOf(slot);
    this.area.free(slot);
    if (folio === NO_PFN) return;
    this.folios.get(folio);
    this.put(folio);
  }

  /** A copy of an entry was made, by fork: both are shared now, so the caller clears PteBit.Exclusive in both. @kernel swap_duplicate */
  duplicateEntry(pte: Pte): void {
    this.area.duplicate(swapSlotOf(pte));
  }

  private enter(folio: Pfn, slot: SwapSlot): void {
    this.slots.set(folio, slot);
    this.folios.get(folio);
    this.folios.setFlag(folio, FolioFlag.Swapcache);
  }
}
