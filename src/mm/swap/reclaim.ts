/** Reclaim: anonymous and shared memory goes to swap, pages of files to their disk, and their memory is free again. */

import { Errno } from '../../base/errno.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Writeback } from '../file/writeback.js';
import type { FolioSplit } from '../huge/folioSplit.js';
import type { Kernel } from '../kernel.js';
import { forEachPte } from '../mmCensus.js';
import type { Mm } from '../process/mm.js';
import type { Rmap } from '../rmap/rmap.js';
import { TryToUnmap } from '../rmap/tryToUnmap.js';
import { PteKind, pteKind, ptePfn } from '../table/pte.js';

export const ReclaimStep = {
  shrink: defineStep('reclaim.shrink', 'count', 'id'),
  isolated: defineStep('reclaim.isolated', 'pfn', 'count'),
  locked: defineStep('reclaim.locked', 'pfn', 'count'),
  /** Its content is in the swap area now. */
  written: defineStep('reclaim.written', 'pfn'),
  freed: defineStep('reclaim.freed', 'pfn'),
  kept: defineStep('reclaim.kept', 'pfn', 'count'),
} as const;

export class Reclaim {
  private readonly unmapper: TryToUnmap;

  constructor(
    private readonly kernel: Kernel,
    rmap: Rmap,
    private readonly split: FolioSplit,
    private readonly writeback: Writeback,
  ) {
    this.unmapper = new TryToUnmap(kernel, rmap);
  }

  /**
   * Reclaims what it can of the memory that an address space maps, however recently it was used. Large folios are split for it, first those that
   * are partly unused. Returns how many pages were freed. No lock is held. @kernel shrink_folio_list, memory.reclaim
   */
  *shrinkMm(mm: Mm): Steps<number> {
    if (this.kernel.makeRoom !== null) yield* this.kernel.makeRoom();
    const found = this.pagesOf(mm);
    if (this.kernel.sched.reach(ReclaimStep.shrink, found.length, mm.id)) yield STEP;
    let freed = 0;
    for (const folio of found) freed += yield* this.shrinkFolio(folio);
    return freed;
  }

  /** Folios that {@link isolate} gave, however recently they were used. Returns how many pages were freed. @kernel reclaim_pages */
  *reclaimIsolated(isolated: readonly Pfn[]): Steps<number> {
    let freed = 0;
    for (const folio of isolated) freed += yield* this.shrinkIsolated(folio);
    return freed;
  }

  /** Takes a folio off the LRU, with a reference; false where it is not on it. @kernel folio_isolate_lru */
  isolate(folio: Pfn): boolean {
    const { folios, sched } = this.kernel;
    if (folios.refcount(folio) === 0 || !folios.testFlag(folio, FolioFlag.Lru)) return false;
    // It has become part of a larger one since it was found.
    if (folios.headOf(folio) !== folio) return false;
    folios.get(folio);
    folios.clearFlag(folio, FolioFlag.Lru);
    sched.at(ReclaimStep.isolated, folio, folios.refcount(folio));
    return true;
  }

  /** Pages of RAM that the address space maps now, each once; others may take them away before it is their turn. */
  private pagesOf(mm: Mm): Pfn[] {
    const { folios, memory } = this.kernel;
    const found = new Set<Pfn>();
    forEachPte(mm, (_, pte) => {
      if (pteKind(pte) !== PteKind.Present || this.kernel.isZeroPage(ptePfn(pte))) return;
      const folio = folios.headOf(ptePfn(pte));
      if (memory.layout.zoneOf(folio).kind === ZoneKind.System) found.add(folio);
    });
    return [...found];
  }

  /** Returns how many pages were freed: none of a folio that is off the LRU, locked, in use or pinned. */
  *shrinkFolio(folio: Pfn): Steps<number> {
    return this.isolate(folio) ? yield* this.shrinkIsolated(folio) : 0;
  }

  /** Its reference goes, and the folio back to the LRU unless it was freed. @kernel shrink_folio_list */
  private *shrinkIsolated(folio: Pfn): Steps<number> {
    const { folios, folioLocks } = this.kernel;
    if (!folioLocks.trylock(folio)) {
      this.putBack(folio);
      return 0;
    }
    if (folios.npages(folio) > 1) return yield* this.shrinkLarge(folio);
    if (this.kernel.sched.reach(ReclaimStep.locked, folio, folios.refcount(folio))) yield STEP;
    const freeable = yield* this.evict(folio);
    this.kernel.sched.at(freeable ? ReclaimStep.freed : ReclaimStep.kept, folio, folios.refcount(folio));
    folioLocks.unlock(folio);
    this.kernel.swapCache.dropIfUnused(folio);
    if (freeable) folios.put(folio);
    else this.putBack(folio);
    return freeable ? 1 : 0;
  }

  /** Isolated and locked. Where it can be split its pages are reclaimed one by one. @kernel split_folio_to_list */
  private *shrinkLarge(head: Pfn): Steps<number> {
    const { folios, folioLocks } = this.kernel;
    const npages = folios.npages(head);
    folios.setFlag(head, FolioFlag.Lru);
    const errno = yield* this.split.split(head);
    folioLocks.unlock(head);
    folios.put(head);
    let freed = 0;
    if (errno !== Errno.OK) return freed;
    for (let i = 0; i < npages; i++) freed += yield* this.shrinkFolio((head + i) as Pfn);
    return freed;
  }

  /** @kernel folio_putback_lru */
  private putBack(folio: Pfn): void {
    const { folios } = this.kernel;
    if (folios.refcount(folio) > 1) folios.setFlag(folio, FolioFlag.Lru);
    folios.put(folio);
  }

  /** Isolated and locked. True when nobody but the caller holds the folio any more. */
  private *evict(pfn: Pfn): Steps<boolean> {
    const { folios, swapCache, pins } = this.kernel;
    if (folios.order(pfn) > 0) return false;
    if (!folios.testFlag(pfn, FolioFlag.Anon)) return yield* this.evictFilePage(pfn);
    const isLazyFree = folios.testFlag(pfn, FolioFlag.LazyFree);
    if (!isLazyFree && !folios.testFlag(pfn, FolioFlag.Swapcache)) {
      if (pins.maybePinned(pfn) || !swapCache.add(pfn)) return false;
    }
    if (folios.mapcount(pfn) > 0) yield* this.unmapper.unmap(pfn);
    if (folios.mapcount(pfn) > 0 || pins.maybePinned(pfn)) return this.giveBackSlot(pfn);
    if (isLazyFree) return folios.refcount(pfn) === 1;
    return yield* this.writeAndDrop(pfn);
  }

  /** What belongs to no disk goes to swap, unless nobody has stored anything there. */
  private *evictFilePage(pfn: Pfn): Steps<boolean> {
    const { folios, pageCache, pins } = this.kernel;
    const mapping = pageCache.get(folios.mapping(pfn));
    if (mapping === null || pins.maybePinned(pfn)) return false;
    if (mapping.isOnDisk && folios.testFlag(pfn, FolioFlag.Dirty)) yield* this.writeback.write(pfn);
    if (folios.mapcount(pfn) > 0) yield* this.unmapper.unmap(pfn);
    // The file's cache and the caller; a reader may have come meanwhile, or a write().
    const isIdle = folios.mapcount(pfn) === 0 && folios.refcount(pfn) === 2;
    if (!isIdle || !folios.isCached(pfn)) return false;
    if (folios.testFlag(pfn, FolioFlag.Dirty)) return !mapping.isOnDisk && pageCache.swapOut(pfn);
    pageCache.drop(pfn);
    return true;
  }

  /** A folio whose content is in its slot already goes without being written. @kernel pageout, __remove_mapping */
  private *writeAndDrop(pfn: Pfn): Steps<boolean> {
    const { folios, swapCache, sched } = this.kernel;
    if (folios.testFlag(pfn, FolioFlag.Dirty)) {
      if (folios.refcount(pfn) !== 2) return false;
      swapCache.writeOut(pfn);
      if (sched.reach(ReclaimStep.written, pfn)) yield STEP;
    }
    // Somebody may have found the folio in the swap cache meanwhile, and written to it.
    if (folios.refcount(pfn) !== 2 || folios.testFlag(pfn, FolioFlag.Dirty)) return false;
    swapCache.remove(pfn);
    return true;
  }

  /** A folio that stays mapped needs no slot unless some of its mappings are gone already. @kernel activate_locked */
  private giveBackSlot(pfn: Pfn): false {
    this.kernel.swapCache.freeSwap(pfn);
    return false;
  }
}
