/** Reclaim: anonymous pages go to swap, pages of files to their disk, and their memory is free again. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Writeback } from '../file/writeback.js';
import { FolioSplit } from '../huge/folioSplit.js';
import type { Kernel } from '../kernel.js';
import { forEachPte } from '../mmCensus.js';
import type { Mm } from '../process/mm.js';
import type { Rmap } from '../rmap/rmap.js';
import { TryToUnmap } from '../rmap/tryToUnmap.js';
import { PteKind, pteKind, ptePfn } from '../table/pte.js';

/** Pages from `start` to before `end`. */
interface VpnSpan {
  readonly start: Vpn;
  readonly end: Vpn;
}

export const ReclaimStep = {
  shrink: defineStep('reclaim.shrink', 'count', 'id'),
  isolated: defineStep('reclaim.isolated', 'pfn', 'count'),
  /** Its content is in the swap area now. */
  written: defineStep('reclaim.written', 'pfn'),
  freed: defineStep('reclaim.freed', 'pfn'),
  kept: defineStep('reclaim.kept', 'pfn', 'count'),
} as const;

export class Reclaim {
  private readonly unmapper: TryToUnmap;
  private readonly split: FolioSplit;

  constructor(
    private readonly kernel: Kernel,
    rmap: Rmap,
    private readonly writeback: Writeback,
  ) {
    this.unmapper = new TryToUnmap(kernel, rmap);
    this.split = new FolioSplit(kernel, rmap);
  }

  /**
   * Reclaims what it can of the memory that an address space maps, however recently it was used. Large folios are split for it, first those that are partly unused. Returns how
   * many pages were freed. With a span only of what lies there, as MADV_PAGEOUT does. No lock is held. @kernel shrink_folio_list, memory.reclaim
   */
  *shrinkMm(mm: Mm, span: VpnSpan | null = null): Steps<number> {
    if (this.kernel.makeRoom !== null) yield* this.kernel.makeRoom();
    const found = this.pagesOf(mm, span);
    if (this.kernel.sched.reach(ReclaimStep.shrink, found.length, mm.id)) yield STEP;
    let freed = 0;
    for (const folio of found) {
      const npages = this.kernel.folios.npages(folio);
      if (npages > 1 && !(yield* this.splitLarge(folio))) continue;
      for (let i = 0; i < npages; i++) if (yield* this.shrinkFolio((folio + i) as Pfn)) freed++;
    }
    return freed;
  }

  /** Pages of RAM that the address space maps now, each once; others may take them away before it is their turn. */
  private pagesOf(mm: Mm, span: VpnSpan | null): Pfn[] {
    const { folios, memory } = this.kernel;
    const found = new Set<Pfn>();
    forEachPte(mm, (page, pte) => {
      if (span !== null && (page < span.start || page >= span.end)) return;
      if (pteKind(pte) !== PteKind.Present || this.kernel.isZeroPage(ptePfn(pte))) return;
      const folio = folios.headOf(ptePfn(pte));
      if (memory.layout.zoneOf(folio).kind === ZoneKind.System) found.add(folio);
    });
    return [...found];
  }

  /** False if somebody holds or has locked the folio: it stays then. @kernel split_folio_to_list */
  private *splitLarge(head: Pfn): Steps<boolean> {
    const { folios, folioLocks } = this.kernel;
    if (folios.refcount(head) === 0 || !folios.testFlag(head, FolioFlag.Lru) || !folioLocks.trylock(head))
      return false;
    folios.get(head);
    const errno = yield* this.split.split(head);
    folioLocks.unlock(head);
    folios.put(head);
    return errno === Errno.OK;
  }

  /** True if the folio was freed. Pages that are locked, off the LRU, in use or pinned are left alone. @kernel shrink_folio_list */
  *shrinkFolio(pfn: Pfn): Steps<boolean> {
    const { folios, folioLocks, sched } = this.kernel;
    if (folios.refcount(pfn) === 0 || !folios.testFlag(pfn, FolioFlag.Lru)) return false;
    folios.get(pfn);
    if (!folioLocks.trylock(pfn)) {
      folios.put(pfn);
      return false;
    }
    folios.clearFlag(pfn, FolioFlag.Lru);
    if (sched.reach(ReclaimStep.isolated, pfn, folios.refcount(pfn))) yield STEP;
    const freeable = yield* this.evict(pfn);
    if (!freeable && folios.refcount(pfn) > 1) folios.setFlag(pfn, FolioFlag.Lru);
    sched.at(freeable ? ReclaimStep.freed : ReclaimStep.kept, pfn, folios.refcount(pfn));
    folioLocks.unlock(pfn);
    folios.put(pfn);
    return freeable;
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

  /** What is in no file on a disk stays: shared memory has no swap entries in its page cache. */
  private *evictFilePage(pfn: Pfn): Steps<boolean> {
    const { folios, pageCache, pins } = this.kernel;
    const mapping = pageCache.get(folios.mapping(pfn));
    if (mapping === null || !mapping.isOnDisk || pins.maybePinned(pfn)) return false;
    if (folios.testFlag(pfn, FolioFlag.Dirty)) yield* this.writeback.write(pfn);
    if (folios.mapcount(pfn) > 0) yield* this.unmapper.unmap(pfn);
    // The file's cache and the caller; a reader may have come meanwhile, or a write().
    const isIdle = folios.mapcount(pfn) === 0 && folios.refcount(pfn) === 2;
    if (!isIdle || !folios.isCached(pfn) || folios.testFlag(pfn, FolioFlag.Dirty)) return false;
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
