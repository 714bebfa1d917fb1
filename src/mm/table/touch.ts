/** Says of a page that is asked for to be written that it was written: nobody can know when those who asked will do so. */

import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { changeLeaf, leafStart } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { PTE_WRITTEN, PteBit, pteFromWord, pteHas, pteIsHuge, ptePfn } from './pte.js';

/**
 * The entry allows stores. Small pages are marked themselves, a huge one by its leaf; a page that its owner gave up with MADV_FREE is kept
 * from then on. Under the page-table lock. @kernel follow_page_pte, touch_pmd
 */
export function touchForWrite({ folios }: Kernel, mm: Mm, page: Vpn): void {
  const pte = pteFromWord(mm.pageTable.get(page));
  if (pteHas(pte, PteBit.Dirty)) return;
  if (pteIsHuge(pte))
    changeLeaf(mm.pageTable, mm.pageTable.slot(leafStart(page)), PteBit.Young | PTE_WRITTEN, 0);
  else if (!folios.testFlag(ptePfn(pte), FolioFlag.Dirty)) folios.setFlag(ptePfn(pte), FolioFlag.Dirty);
}
