/** Huge pages for tests of the mm: an aligned area, leaves in it, and the folio behind them. */

import { assert } from '../../../src/base/assert.js';
import { PMD_ORDER, PMD_PAGES, type Vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { writeLeaf } from '../../../src/mm/huge/hugeLeaf.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { prepareAnonVma } from '../../../src/mm/rmap/anonVmaPrepare.js';
import { makePte, PteBit, PteKind } from '../../../src/mm/table/pte.js';
import { type Machine, mapFixed } from '../harness.js';

/** An address that is a multiple of 2 MiB. */
export const HUGE_AREA = 0x40000 * PMD_PAGES;

export const LEAF_BITS = PteBit.Huge | PteBit.Write | PteBit.Young | PteBit.Dirty;

/** RAM for a few huge pages beside the zero page. */
export const HUGE_RAM = 6 * PMD_PAGES;

/** Maps a fresh exclusive folio with one leaf into the area that covers `page`; its word i holds i in each page. */
export function mapHugePage(machine: Machine, mm: Mm, page: number, bits = LEAF_BITS): Pfn {
  const { kernel } = machine;
  const vma = mm.vmas.find(page as Vpn);
  assert(vma !== null, 'no area for the huge page');
  const head = kernel.allocFolio(PMD_ORDER);
  assert(head !== NO_PFN, 'no memory for a huge page');
  kernel.folios.setMapping(head, prepareAnonVma(kernel, mm, vma).id, vma.indexOf(page as Vpn));
  kernel.folios.addEntireRmap(head);
  kernel.folios.setFlag(head, FolioFlag.AnonExclusive);
  kernel.folios.setFlag(head, FolioFlag.Lru);
  for (let i = 0; i < PMD_PAGES; i++) kernel.memory.words[kernel.memory.wordIndex(head + i)] = 1000 + i;
  writeLeaf(mm.pageTable, mm.pageTable.ensure(page), makePte(PteKind.Present, head, bits));
  return head;
}

/** An anonymous area of whole PMDs at {@link HUGE_AREA}. */
export function mapHugeArea(machine: Machine, mm: Mm, leaves = 1): void {
  mapFixed(machine, mm, HUGE_AREA, leaves * PMD_PAGES);
}
