/** Large folios of which an advice names a part: how much of one is mapped there, and its split. */

import { Errno } from '../../base/errno.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { PteKind, pteFromWord, pteKind, ptePfn } from '../table/pte.js';
import type { FolioSplit } from './folioSplit.js';

export class FolioParts {
  constructor(
    private readonly kernel: Kernel,
    private readonly folioSplit: FolioSplit,
  ) {}

  /** Entries from `page` on, up to `end` in the same table, that map one page of the same folio after the other. @kernel madvise_folio_pte_batch */
  mappedRun(mm: Mm, page: number, end: number): number {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(page);
    const first = ptePfn(pteFromWord(mm.pageTable.read(slot)));
    const limit = Math.min(end - page, folios.headOf(first) + folios.npages(first) - first);
    let count = 1;
    while (count < limit) {
      const pte = pteFromWord(mm.pageTable.read(slot + count));
      if (pteKind(pte) !== PteKind.Present || ptePfn(pte) !== first + count) break;
      count++;
    }
    return count;
  }

  /** Splits a folio that no one else has locked or seems to map. False: it is as it was. @kernel split_folio */
  *split(pfn: Pfn): Steps<boolean> {
    const { folios, folioLocks } = this.kernel;
    const head = folios.headOf(pfn);
    if (this.isLikelyShared(head) || !folioLocks.trylock(head)) return false;
    folios.get(head);
    const errno = yield* this.folioSplit.split(head);
    folioLocks.unlock(head);
    folios.put(head);
    return errno === Errno.OK;
  }

  /** A guess, as which process maps what is not known of a folio that is mapped page by page. @kernel folio_likely_mapped_shared */
  isLikelyShared(head: Pfn): boolean {
    const { folios } = this.kernel;
    const mapcount = folios.mapcount(head);
    if (mapcount <= 1) return false;
    if (folios.entireMapcount(head) > 0 || mapcount > folios.npages(head)) return true;
    return folios.pageMapcount(head) > 1;
  }
}
