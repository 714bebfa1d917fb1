/** migrate_device: moves pages that are named by page frame number, without an address space or its lock. */

import { MigratePfnFlag, migratePfn, NO_PFN, type Pfn, pfn as pfnOf } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { MigrateUnmap } from './migrateUnmap.js';

export class MigrateDevice {
  constructor(
    private readonly kernel: Kernel,
    private readonly unmapper: MigrateUnmap,
  ) {}

  /**
   * Turns raw pfns in `src` into migrate-pfns of pages that are locked and unmapped in every address space; 0 where a page is free, locked
   * by another, or pinned. Raises CLEAR in each mm that maps one.
   * @kernel migrate_device_pfns
   */
  *pfns(src: Uint32Array, npages: number): Steps<number> {
    for (let i = 0; i < npages; i++) {
      const pfn = pfnOf(src[i]);
      const large = this.kernel.folios.isLarge(pfn) ? this.kernel.folios.npages(pfn) : 1;
      src[i] = this.collect(pfn);
      // The other pages of a large folio go with it.
      for (let j = 1; j < large && i + j < npages; j++) src[i + j] = 0;
      i += large - 1;
    }
    return yield* this.unmap(src, npages);
  }

  /** Of pages that the caller holds and has locked; how many could be unmapped. The others are let go of. @kernel migrate_device_unmap */
  unmap(src: Uint32Array, npages: number): Steps<number> {
    return this.unmapper.unmap(src, npages, NO_PFN);
  }

  /** @kernel migrate_device_pages */
  *pages(src: Uint32Array, dst: Uint32Array, npages: number): Steps<void> {
    yield* this.unmapper.movePages(src, dst, npages, NO_PFN, null);
  }

  /** @kernel migrate_device_finalize */
  *finalize(src: Uint32Array, dst: Uint32Array, npages: number): Steps<void> {
    yield* this.unmapper.finalize(src, dst, npages, NO_PFN);
    const { sched, costs } = this.kernel;
    if (sched.modelsTime) yield* sched.spend(entriesOf(src, npages) * costs.migratePageNs);
  }

  /** Refers to it and locks it, unless it is free or somebody else has it locked. @kernel migrate_device_pfn_lock */
  collect(pfn: Pfn): number {
    const { folios, folioLocks } = this.kernel;
    if (pfn === NO_PFN || !folios.tryGet(pfn)) return 0;
    if (!folioLocks.trylock(pfn)) {
      folios.put(pfn);
      return 0;
    }
    return migratePfn(pfn, MigratePfnFlag.MIGRATE);
  }
}

/** Pages and large folios that were collected. */
function entriesOf(src: Uint32Array, npages: number): number {
  let entries = 0;
  for (let i = 0; i < npages; i++) if (src[i] !== 0) entries++;
  return entries;
}
