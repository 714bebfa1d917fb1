/** Entries lie in areas, allow no more than these (M7), and are of the kind that their page's zone demands. */

import type { Vpn } from '../base/units.js';
import type { Vma } from '../mm/area/vma.js';
import {
  formatPte,
  type Pte,
  PteBit,
  PteKind,
  pteHas,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../mm/table/pte.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkAreas(view: MachineView): Rule[] {
  const rights = new Rule('M7', 'entries');
  const places = new Rule('areas', 'areas', 'entries');
  for (const mm of view.mms) places.look('areas', mm.vmas.size);
  rights.look('entries', view.entries.size);
  places.look('entries', view.entries.size);
  view.entries.forEach((_, page, pte, vma) => {
    if (vma !== null && pteIsMapping(pte)) checkRights(view, rights, vma, page, pte);
    checkPlace(view, places, vma, page, pte);
  });
  return [rights, places];
}

/**
 * M7: read-only never becomes writable: neither beyond what the area allows nor on the zero page.
 * Implied by vm_page_prot, of which every path makes its entries, and by the write bit that a migration entry keeps: remove_migration_pte and do_wp_page give the
 * right back only to an area that allows it, under the page-table lock. Otherwise a copy-on-write page is stored to while others read it.
 */
function checkRights(view: MachineView, rule: Rule, vma: Vma, page: Vpn, pte: Pte): void {
  const pfn = ptePfn(pte);
  const writable = pteHas(pte, PteBit.Write);
  if (writable && !vma.isWritable)
    rule.violate({ page, pfn }, `writable in a read-only area: ${formatPte(pte)}`);
  if (writable && view.isZeroPage(pte)) rule.violate({ page, pfn }, 'a writable entry of the zero page');
  const open = pteKind(pte) === PteKind.Present && !pteHas(pte, PteBit.ProtNone);
  if (open && !vma.isAccessible)
    rule.violate({ page, pfn }, `present in an area that allows nothing: ${formatPte(pte)}`);
}

function checkPlace(view: MachineView, rule: Rule, vma: Vma | null, page: Vpn, pte: Pte): void {
  const pfn = ptePfn(pte);
  if (vma === null) rule.violate({ page, pfn }, `outside all areas: ${formatPte(pte)}`);
  if (!pteIsMapping(pte)) return;
  const inDevice = view.layout.contains(pfn) && view.layout.isDevicePrivate(pfn);
  const saysDevice = pteKind(pte) === PteKind.DevicePrivate;
  if (inDevice !== saysDevice)
    rule.violate({ page, pfn }, `not the kind of entry for its zone: ${formatPte(pte)}`);
}
