/** Splitting a large folio into pages: unmapping it everywhere, dividing it, and mapping the pages where the folio was. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { Rmap } from '../rmap/rmap.js';

export const SplitStep = {
  /** The folio is now pages of order 0. */
  split: defineStep('split.folio', 'pfn', 'npages'),
  refused: defineStep('split.refused', 'pfn', 'count', 'errno'),
} as const;

export class FolioSplit {
  constructor(
    private readonly kernel: Kernel,
    private readonly rmap: Rmap,
  ) {}

  /**
   * Makes every page of the folio a folio of its own. The caller has it locked and holds the only reference that no mapping holds; both are
   * those of page `keep` afterwards (the head unless told). Pages that nobody maps are freed, and so are those of zeros. Errors: -EAGAIN when somebody else holds a
   * reference, a pin for example; -EBUSY for a folio that is nobody's memory any more. It is then as it was.
   * @kernel split_folio, split_huge_page_to_list_to_order
   */
  *split(head: Pfn, keep: Pfn = head): Steps<Errno> {
    const { folios, sched } = this.kernel;
    assert(folios.isLocked(head) && folios.headOf(head) === head, 'a folio is split by its locked head');
    const errno = this.canSplit(head);
    if (errno !== Errno.OK) return this.refuse(head, errno);
    const wasOnLru = folios.testFlag(head, FolioFlag.Lru);
    yield* this.rmap.tryToMigrate(head, true);
    if (folios.refcount(head) !== 1 || folios.mapcount(head) > 0) {
      this.rmap.removeMigrationPtes(head, head);
      return this.refuse(head, Errno.EAGAIN);
    }
    const npages = folios.npages(head);
    this.divide(head, wasOnLru);
    this.rmap.mapUnusedToZeroPage(head, npages);
    this.rmap.removeMigrationPtes(head, head, npages);
    this.letGo(head, npages, keep);
    if (sched.reach(SplitStep.split, head, npages)) yield STEP;
    return Errno.OK;
  }

  /**
   * The same for a folio that migration has unmapped and isolated: all pages stay locked, and each is referenced once for its migration.
   * -EAGAIN when somebody took a reference. @kernel folio_split_unmapped
   */
  splitUnmapped(head: Pfn, expectedRefs: number): Errno {
    const { folios } = this.kernel;
    if (folios.refcount(head) !== expectedRefs || folios.mapcount(head) > 0) return Errno.EAGAIN;
    this.divide(head, false);
    return Errno.OK;
  }

  /** @kernel can_split_folio */
  private canSplit(head: Pfn): Errno {
    const { folios, anonVmas } = this.kernel;
    if (this.kernel.isHugeZeroPage(head)) return Errno.EBUSY;
    if (!folios.testFlag(head, FolioFlag.Anon) || anonVmas.get(folios.mapping(head)) === null)
      return Errno.EBUSY;
    return folios.refcount(head) === folios.mapcount(head) + 1 ? Errno.OK : Errno.EAGAIN;
  }

  private divide(head: Pfn, wasOnLru: boolean): void {
    const { folios, folioLocks } = this.kernel;
    const npages = folios.npages(head);
    folioLocks.splitToPages(head);
    this.kernel.pagemapOf(head)?.ops.folioSplit?.(head, npages);
    if (!wasOnLru) return;
    for (let i = 0; i < npages; i++) folios.setFlag((head + i) as Pfn, FolioFlag.Lru);
  }

  /** @kernel remap_page, free_page_and_swap_cache */
  private letGo(head: Pfn, npages: number, keep: Pfn): void {
    const { folios, folioLocks } = this.kernel;
    for (let i = 0; i < npages; i++) {
      const page = (head + i) as Pfn;
      if (page === keep) continue;
      folioLocks.unlock(page);
      folios.put(page);
    }
  }

  private refuse(head: Pfn, errno: Errno): Errno {
    this.kernel.sched.at(SplitStep.refused, head, this.kernel.folios.refcount(head), errno);
    return errno;
  }
}
