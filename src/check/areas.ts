/** Entries lie in areas, allow no more than these (M7), and are of the kind that their page's zone demands. */

import type { CpuEntry } from '../mm/pageHolders.js';
import { formatPte, PteBit, PteKind, pteHas, pteIsMapping, pteKind, ptePfn } from '../mm/table/pte.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkAreas(view: MachineView): Rule[] {
  const rights = new Rule('M7', 'entries');
  const places = new Rule('areas', 'areas', 'entries');
  for (const mm of view.mms) places.look('areas', mm.vmas.size);
  for (const entry of view.entries) {
    rights.look('entries');
    places.look('entries');
    checkRights(view, rights, entry);
    checkPlace(view, places, entry);
  }
  return [rights, places];
}

/** Read-only never becomes writable: neither beyond what the area allows nor on the zero page. */
function checkRights(view: MachineView, rule: Rule, { mm, page, pte }: CpuEntry): void {
  const pfn = ptePfn(pte);
  const vma = mm.vmas.find(page);
  if (vma === null || !pteIsMapping(pte)) return;
  const writable = pteHas(pte, PteBit.Write);
  rule.require(
    !writable || vma.isWritable,
    { page, pfn },
    () => `writable in a read-only area: ${formatPte(pte)}`,
  );
  rule.require(!writable || !view.isZeroPage(pte), { page, pfn }, () => 'a writable entry of the zero page');
  const open = pteKind(pte) === PteKind.Present && !pteHas(pte, PteBit.ProtNone);
  rule.require(
    !open || vma.isAccessible,
    { page, pfn },
    () => `present in an area that allows nothing: ${formatPte(pte)}`,
  );
}

function checkPlace(view: MachineView, rule: Rule, { mm, page, pte }: CpuEntry): void {
  const pfn = ptePfn(pte);
  rule.require(mm.vmas.find(page) !== null, { page, pfn }, () => `outside all areas: ${formatPte(pte)}`);
  if (!pteIsMapping(pte)) return;
  const inDevice = view.layout.contains(pfn) && view.layout.isDevicePrivate(pfn);
  const saysDevice = pteKind(pte) === PteKind.DevicePrivate;
  rule.require(
    inDevice === saysDevice,
    { page, pfn },
    () => `not the kind of entry for its zone: ${formatPte(pte)}`,
  );
}
