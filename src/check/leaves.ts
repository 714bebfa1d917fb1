/** Large folios and PMD leaves: the 512 words of a leaf agree, lie in one area, and map a folio of just that size from its first page on. */

import { PMD_ORDER, PMD_PAGES, type Vpn } from '../base/units.js';
import type { Vma } from '../mm/area/vma.js';
import type { Mm } from '../mm/process/mm.js';
import {
  formatPte,
  type Pte,
  PteBit,
  pteFromWord,
  pteIsHuge,
  pteIsMapping,
  ptePfn,
  ptePlus,
} from '../mm/table/pte.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/** The hardware marks the word that it walks. */
const HARDWARE_BITS = PteBit.Young | PteBit.Dirty;

export function checkLeaves(view: MachineView): Rule[] {
  const rule = new Rule('leaves', 'entries', 'leaves');
  rule.look('entries', view.entries.size);
  view.entries.forEach((mm, page, pte, vma) => {
    if (pteIsHuge(pte) && page % PMD_PAGES === 0) {
      rule.look('leaves');
      checkLeaf(view, rule, vma, page, pte);
    }
    checkWord(rule, mm, page, pte);
  });
  return [rule];
}

function checkLeaf(view: MachineView, rule: Rule, vma: Vma | null, page: Vpn, leaf: Pte): void {
  const { folios } = view;
  const pfn = ptePfn(leaf);
  const inside = vma !== null && page + PMD_PAGES <= vma.end;
  rule.require(inside, { page, pfn }, () => `a leaf that leaves its area: ${formatPte(leaf)}`);
  const isWhole = folios.headOf(pfn) === pfn && folios.order(pfn) === PMD_ORDER;
  rule.require(isWhole, { page, pfn }, () => `a leaf that maps no whole huge page: ${folios.describe(pfn)}`);
  const counted = !pteIsMapping(leaf) || view.isZeroPage(leaf) || folios.entireMapcount(pfn) > 0;
  rule.require(counted, { page, pfn }, () => 'a leaf that the folio does not know of');
}

/** Each word follows from the first of its PMD. */
function checkWord(rule: Rule, mm: Mm, page: Vpn, pte: Pte): void {
  const first = pteFromWord(mm.pageTable.get(page - (page % PMD_PAGES)));
  if (!pteIsHuge(pte) && !pteIsHuge(first)) return;
  const expected = ptePlus(first, page % PMD_PAGES);
  const agrees = ((pte ^ expected) & ~HARDWARE_BITS) === 0;
  if (!agrees) rule.violate({ page, pfn: ptePfn(pte) }, `is not part of its leaf: ${formatPte(pte)}`);
}
