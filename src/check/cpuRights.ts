/** What the CPU page table allows at a page, which is the most that any device may be allowed there. */

import type { Vpn } from '../base/units.js';
import type { Pfn } from '../memory/pfn.js';
import type { Mm } from '../mm/process/mm.js';
import { PteBit, PteKind, pteHas, pteIsMapping, pteKind, ptePfn } from '../mm/table/pte.js';
import type { MachineView } from './machineView.js';

/** Whether the CPU page table of `mm` maps `pfn` at `page` with at least this right. */
export function cpuAllows(view: MachineView, mm: Mm, page: Vpn, pfn: Pfn, write: boolean): boolean {
  const pte = view.pteAt(page, mm);
  if (!pteIsMapping(pte) || ptePfn(pte) !== pfn) return false;
  if (pteKind(pte) === PteKind.Present && pteHas(pte, PteBit.ProtNone)) return false;
  return !write || pteHas(pte, PteBit.Write);
}
