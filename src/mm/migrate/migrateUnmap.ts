/** The part that migrate_vma and migrate_device share: isolating, unmapping, moving the metadata of, and putting back locked pages. */

import { AssertionFailure } from '../../base/assert.js';
import { PMD_PAGES } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import {
  isMigratePfn,
  MigratePfnFlag,
  migratePfnAt,
  migratePfnToPfn,
  migratePfnWithout,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { Rmap } from '../rmap/rmap.js';

export const MigrateStep = {
  collect: defineStep('migrate.collect', 'vpn', 'npages', 'id'),
  /** A hole, or the zero page, has become a page. */
  filled: defineStep('migrate.filled', 'vpn', 'pfn', 'id'),
  unmap: defineStep('migrate.unmap', 'pfn', 'count'),
  giveUp: defineStep('migrate.giveUp', 'pfn', 'count'),
  /** A page that was given up is mapped and unlocked again. */
  putBack: defineStep('migrate.putBack', 'pfn', 'count'),
  pages: defineStep('migrate.pages', 'count', 'count'),
  finalize: defineStep('migrate.finalize', 'count', 'count'),
} as const;

/** What can be done for an entry only where there is an area around it. */
export interface AreaActions {
  /** Maps the destination where there was nothing. */
  insertHole(i: number, page: Pfn): Steps<boolean>;
  /** Makes a large source one entry per page. */
  splitSource(i: number, head: Pfn): Steps<boolean>;
  /** Makes a huge hole one entry per page. */
  spreadHole(i: number): void;
}

/** What a page's copy takes over. @kernel folio_migrate_flags */
const MOVED_FLAGS = FolioFlag.Dirty | FolioFlag.LazyFree;

export class MigrateUnmap {
  constructor(
    readonly kernel: Kernel,
    private readonly rmap: Rmap,
  ) {}

  /**
   * Takes collected pages off the LRU and out of every page table. Those that cannot be moved (off the LRU already, pinned, or still mapped) are
   * put back when all have been tried, and their entries cleared. Returns how many entries with a page are left.
   * @kernel migrate_device_unmap
   */
  *unmap(src: Uint32Array, npages: number, faultPage: Pfn): Steps<number> {
    const { sched, pagesPerStep } = this.kernel;
    let left = 0;
    let given = 0;
    for (let i = 0; i < npages; i++) {
      const pfn = migratePfnToPfn(migratePfnAt(src, i));
      if (pfn === NO_PFN) continue;
      if (this.kernel.folios.isLarge(pfn)) src[i] |= MigratePfnFlag.COMPOUND;
      const isIsolated = this.isolate(pfn);
      if (isIsolated && this.kernel.folios.mapcount(pfn) > 0) yield* this.rmap.tryToMigrate(pfn);
      if (isIsolated && this.isMovable(pfn, faultPage)) {
        left++;
      } else {
        this.giveUp(src, i, isIsolated);
        given++;
      }
      if (((i + 1) & (pagesPerStep - 1)) === 0) if (sched.reach(MigrateStep.unmap, pfn, left)) yield STEP;
      // The entries of its tails are empty.
      if ((src[i] & MigratePfnFlag.COMPOUND) !== 0) i += PMD_PAGES - 1;
    }
    if (given > 0) yield* this.putBack(src, npages, given, faultPage);
    return left;
  }

  /** It stays locked, and out of the page tables if it got that far, until {@link putBack}. */
  private giveUp(src: Uint32Array, i: number, isIsolated: boolean): void {
    const { folios, sched } = this.kernel;
    const pfn = migratePfnToPfn(migratePfnAt(src, i));
    if (isIsolated && this.isRam(pfn)) folios.setFlag(pfn, FolioFlag.Lru);
    src[i] = migratePfnWithout(migratePfnAt(src, i), MigratePfnFlag.MIGRATE);
    sched.at(MigrateStep.giveUp, pfn, folios.refcount(pfn));
  }

  /** Of a page that is in no page table any more the last reference goes here. */
  private *putBack(src: Uint32Array, npages: number, given: number, faultPage: Pfn): Steps<void> {
    const { sched, pagesPerStep } = this.kernel;
    for (let i = 0; i < npages && given > 0; i++) {
      const entry = migratePfnAt(src, i);
      const pfn = migratePfnToPfn(entry);
      if (pfn === NO_PFN || (entry & MigratePfnFlag.MIGRATE) !== 0) continue;
      src[i] = 0;
      given--;
      this.rmap.removeMigrationPtes(pfn, pfn);
      this.unlockAndPut(pfn, faultPage);
      if (((i + 1) & (pagesPerStep - 1)) === 0) if (sched.reach(MigrateStep.putBack, pfn, given)) yield STEP;
    }
  }

  /** False where somebody else has isolated it. Pages of devices are on no LRU. @kernel folio_isolate_lru */
  private isolate(pfn: Pfn): boolean {
    const { folios } = this.kernel;
    if (!this.isRam(pfn)) return true;
    if (!folios.testFlag(pfn, FolioFlag.Lru)) return false;
    folios.clearFlag(pfn, FolioFlag.Lru);
    return true;
  }

  private isRam(pfn: Pfn): boolean {
    return this.kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.System;
  }

  /** Nobody but the collector, the file's or the swap cache, and the fault if it is its page, holds a reference. @kernel migrate_vma_check_page */
  isMovable(pfn: Pfn, faultPage: Pfn): boolean {
    const { folios } = this.kernel;
    const cached = folios.isCached(pfn) || folios.testFlag(pfn, FolioFlag.Swapcache) ? 1 : 0;
    const expected = 1 + cached * folios.npages(pfn) + (this.isFaultFolio(pfn, faultPage) ? 1 : 0);
    return folios.mapcount(pfn) === 0 && folios.refcount(pfn) === expected;
  }

  private isFaultFolio(pfn: Pfn, faultPage: Pfn): boolean {
    const { folios } = this.kernel;
    return faultPage !== NO_PFN && folios.headOf(pfn) === folios.headOf(faultPage);
  }

  /**
   * Gives the identity of `from` to `to`: mapping, index and flags. False if somebody took a reference meanwhile, and for a page of a file
   * that would go to a device: only anonymous memory can live there.
   * @kernel folio_migrate_mapping, folio_migrate_flags
   */
  moveMapping(from: Pfn, to: Pfn, faultPage: Pfn): boolean {
    const { folios } = this.kernel;
    const isRam = this.isRam(to);
    if (!this.isMovable(from, faultPage) || !(isRam || this.leavesSwapCache(from))) return false;
    if (!folios.testFlag(from, FolioFlag.Anon) && !(isRam && folios.isCached(from))) return false;
    folios.copyFlags(from, to, MOVED_FLAGS);
    if (folios.testFlag(from, FolioFlag.Anon))
      folios.setMapping(to, folios.mapping(from), folios.index(from));
    else this.kernel.pageCache.replace(from, to);
    if (folios.testFlag(from, FolioFlag.Swapcache)) this.kernel.swapCache.replace(from, to);
    return true;
  }

  /**
   * A folio with a slot cannot go to a device. It loses the slot now, if nobody needs it, and can go the next time: the kernel has counted the
   * swap cache's reference before it lets go of it, and so finds one too few. @kernel __migrate_device_pages, folio_free_swap
   */
  leavesSwapCache(from: Pfn): boolean {
    if (!this.kernel.folios.testFlag(from, FolioFlag.Swapcache)) return true;
    this.kernel.swapCache.freeSwap(from);
    return false;
  }

  /**
   * Moves the metadata of every entry that still is to be migrated; an entry without a destination, or whose page gained a reference,
   * loses MIGRATE. Without an area there are no holes, and a large folio moves as a whole or not at all.
   * @kernel __migrate_device_pages
   */
  *movePages(
    src: Uint32Array,
    dst: Uint32Array,
    npages: number,
    faultPage: Pfn,
    area: AreaActions | null,
  ): Steps<void> {
    const { sched, pagesPerStep } = this.kernel;
    for (let i = 0; i < npages; i++) {
      if ((src[i] & MigratePfnFlag.MIGRATE) === 0) continue;
      const to = migratePfnToPfn(migratePfnAt(dst, i));
      const from = migratePfnToPfn(migratePfnAt(src, i));
      const isPlain = from !== NO_PFN && ((src[i] ^ dst[i]) & MigratePfnFlag.COMPOUND) === 0;
      const moved =
        to !== NO_PFN &&
        (isPlain
          ? this.moveMapping(from, to, faultPage)
          : (yield* this.makeOrdersEqual(src, dst, i, area)) &&
            (yield* this.moveEntry(src, i, to, faultPage, area)));
      if (!moved) src[i] = migratePfnWithout(migratePfnAt(src, i), MigratePfnFlag.MIGRATE);
      if (((i + 1) & (pagesPerStep - 1)) === 0) if (sched.reach(MigrateStep.pages, i, npages)) yield STEP;
      // The entries of its tails are empty on both sides.
      if (isPlain && (src[i] & MigratePfnFlag.COMPOUND) !== 0) i += PMD_PAGES - 1;
    }
  }

  /** A large source is split for small destinations; a small one cannot go to a large destination. */
  *makeOrdersEqual(src: Uint32Array, dst: Uint32Array, i: number, area: AreaActions | null): Steps<boolean> {
    const isLarge = (src[i] & MigratePfnFlag.COMPOUND) !== 0;
    const toLarge = (dst[i] & MigratePfnFlag.COMPOUND) !== 0;
    if (isLarge === toLarge) return true;
    if (toLarge || area === null) return false;
    const from = migratePfnToPfn(migratePfnAt(src, i));
    if (from !== NO_PFN) return yield* area.splitSource(i, from);
    area.spreadHole(i);
    return true;
  }

  /** A page goes to its copy; where there was none, the destination is mapped. */
  *moveEntry(src: Uint32Array, i: number, to: Pfn, faultPage: Pfn, area: AreaActions | null): Steps<boolean> {
    const from = migratePfnToPfn(migratePfnAt(src, i));
    if (from !== NO_PFN) return this.moveMapping(from, to, faultPage);
    return area !== null && (yield* area.insertHole(i, to));
  }

  /**
   * Maps what was moved to its destination and the rest back to its source, then lets go of both. A destination that was not used is freed.
   * @kernel migrate_vma_finalize, migrate_device_finalize
   */
  *finalize(src: Uint32Array, dst: Uint32Array, npages: number, faultPage: Pfn): Steps<void> {
    const { sched, pagesPerStep } = this.kernel;
    for (let i = 0; i < npages; ) {
      // The entries of its tails are empty on both sides.
      const isWhole = (src[i] & dst[i] & MigratePfnFlag.COMPOUND) !== 0;
      const end = i + (isWhole ? PMD_PAGES : 1);
      assertEntries(src, i, end);
      assertEntries(dst, i, end);
      this.finalizeEntry(src, dst, i, faultPage);
      for (let at = i | (pagesPerStep - 1); at < end; at += pagesPerStep)
        if (sched.reach(MigrateStep.finalize, at, npages)) yield STEP;
      i = end;
    }
  }

  /** Atomic: mapped, unlocked and let go of in one go, so that nobody sees a page without its entries. */
  finalizeEntry(src: Uint32Array, dst: Uint32Array, i: number, faultPage: Pfn): void {
    const entry = migratePfnAt(src, i);
    const from = migratePfnToPfn(entry);
    const to = migratePfnToPfn(migratePfnAt(dst, i));
    const migrated = to !== NO_PFN && (entry & MigratePfnFlag.MIGRATE) !== 0;
    if (from !== NO_PFN) {
      this.rmap.removeMigrationPtes(from, migrated ? to : from);
      if (migrated) this.unlockAndPut(from, faultPage);
      else this.release(from, faultPage);
    }
    if (to !== NO_PFN) this.release(to, NO_PFN);
  }

  /** Lets go of a page that stays in use: back on the LRU if it is RAM and mapped or cached. @kernel folio_putback_lru */
  release(pfn: Pfn, faultPage: Pfn): void {
    const { folios } = this.kernel;
    if (this.isRam(pfn) && (folios.mapcount(pfn) > 0 || folios.isCached(pfn)))
      folios.setFlag(pfn, FolioFlag.Lru);
    this.unlockAndPut(pfn, faultPage);
  }

  /** The fault's page was locked by the fault, which unlocks it. */
  unlockAndPut(pfn: Pfn, faultPage: Pfn): void {
    const { folioLocks, swapCache } = this.kernel;
    if (!this.isFaultFolio(pfn, faultPage)) folioLocks.unlock(pfn);
    swapCache.put(pfn);
  }
}

/** The first entry of a folio is well-formed, and those of its tails are 0. What somebody else wrote there would be unlocked and put as if it were a page. */
function assertEntries(entries: Uint32Array, first: number, end: number): void {
  if (!isMigratePfn(entries[first])) refuse(`entry ${first} of a migration, ${entries[first]}, is none`);
  for (let tail = first + 1; tail < end; tail++) {
    if (entries[tail] !== 0) refuse(`tail ${tail} of a migration has an entry`);
  }
}

/** Apart from its caller, which looks at every page and so makes no closures. */
function refuse(why: string): never {
  throw new AssertionFailure(why);
}
