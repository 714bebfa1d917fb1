/** The entry that maps a page which is not anonymous: of a file's cache, or of a driver. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Vma } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { makePte, PTE_NONE, PteBit, PteKind } from '../table/pte.js';

/** Under the page-table lock: the slot exists and is empty. The entry takes a reference of its own; `bits` are added to those that the area gives. @kernel set_pte_range */
export function mapFilePage(kernel: Kernel, mm: Mm, vma: Vma, page: Vpn, pfn: Pfn, bits: number): void {
  const slot = mm.pageTable.slot(page);
  assert(mm.pageTable.read(slot) === PTE_NONE, 'a file page is mapped over another one');
  kernel.folios.get(pfn);
  kernel.folios.addRmap(pfn);
  const access = (vma.mapsWritable ? PteBit.Write : 0) | (vma.isAccessible ? 0 : PteBit.ProtNone);
  mm.pageTable.write(slot, makePte(PteKind.Present, pfn, access | PteBit.Young | bits));
}
