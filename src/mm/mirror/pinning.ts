/** Pins: references by which a device or the kernel itself reads and writes a page behind the page tables' back. */

import { assert } from '../../base/assert.js';
import { FolioFlag, type FolioTable } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';

/** A pin of a small folio counts as that many references, so that it can be told from plain ones. @kernel GUP_PIN_COUNTING_BIAS */
export const GUP_PIN_COUNTING_BIAS = 1024;

/**
 * The exact number of pins decides for large folios only, which reach many references without any pin; of small ones the kernel knows no more
 * than the reference count, and the number is for checkers.
 */
export class Pins {
  /** @kernel _pincount */
  private readonly counts = new Map<Pfn, number>();

  constructor(private readonly folios: FolioTable) {}

  /** @kernel try_grab_folio */
  pin(folio: Pfn): void {
    this.folios.getMany(folio, this.referencesPerPin(folio));
    this.counts.set(folio, (this.counts.get(folio) ?? 0) + 1);
  }

  /** @kernel unpin_user_page, gup_put_folio */
  unpin(folio: Pfn): void {
    const count = this.counts.get(folio) ?? 0;
    assert(count > 0, 'a folio is unpinned once too often');
    if (count === 1) this.counts.delete(folio);
    else this.counts.set(folio, count - 1);
    this.folios.putMany(folio, this.referencesPerPin(folio));
  }

  /** Folios with pins. */
  get folioCount(): number {
    return this.counts.size;
  }

  /** By the exact number, which the kernel has for large folios only: for checkers. */
  isPinned(folio: Pfn): boolean {
    return this.counts.has(folio);
  }

  /** References that pins hold, by folio: for checkers. */
  *references(): Generator<readonly [Pfn, number]> {
    for (const [folio, count] of this.counts) yield [folio, count * this.referencesPerPin(folio)];
  }

  private referencesPerPin(folio: Pfn): number {
    return this.folios.order(folio) > 0 ? 1 : GUP_PIN_COUNTING_BIAS;
  }

  /** Never wrong when it says no; with very many plain references a small folio only looks pinned. @kernel folio_maybe_dma_pinned */
  maybePinned(folio: Pfn): boolean {
    if (this.folios.order(folio) > 0) return this.counts.has(folio);
    return this.folios.refcount(folio) >= GUP_PIN_COUNTING_BIAS;
  }

  /**
   * Whether an exclusive anonymous page may become one that others share or find elsewhere. Pinned ones may not: the pin would go on using a
   * page that is no longer the one mapped. @kernel folio_try_share_anon_rmap_pte
   */
  mayShare(page: Pfn): boolean {
    if (page === NO_PFN || !this.folios.testFlag(page, FolioFlag.AnonExclusive)) return true;
    return !this.maybePinned(this.folios.headOf(page));
  }
}
