/** What takes a device's memory and could be sent to RAM, in the order in which it was last used. */

/** Migrated pages, or a buffer object. @kernel ttm_buffer_object */
export interface VramResident {
  /** Pages of VRAM that its eviction frees. */
  readonly npages: number;
  /** Somebody evicts it already. */
  readonly evicting: boolean;
  /** Its lock is held: it would have to be waited for. */
  readonly isBusy: boolean;
}

/** A Set keeps the order of insertion, so each operation costs the same however many there are. @kernel ttm_resource_manager.lru */
export class VramLru {
  private readonly residents = new Set<VramResident>();

  get size(): number {
    return this.residents.size;
  }

  has(resident: VramResident): boolean {
    return this.residents.has(resident);
  }

  /** As the most recently used. */
  add(resident: VramResident): void {
    this.residents.add(resident);
  }

  remove(resident: VramResident): void {
    this.residents.delete(resident);
  }

  /** It was just used; nothing to do for what is not in the list. @kernel ttm_bo_move_to_lru_tail */
  touch(resident: VramResident): void {
    if (this.residents.delete(resident)) this.residents.add(resident);
  }

  /** The least recently used first. */
  [Symbol.iterator](): IterableIterator<VramResident> {
    return this.residents.values();
  }
}
