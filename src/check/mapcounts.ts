/** M3: a folio's map count is the number of entries that map it. */

import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkMapcounts(view: MachineView): Rule[] {
  const rule = new Rule('M3', 'folios', 'entries');
  for (const mapped of view.mappings.values()) rule.look('entries', mapped);
  rule.look('folios', view.freeFrames);
  view.forEachFolio((pfn) => {
    rule.look('folios');
    const count = view.folios.mapcount(pfn);
    const entries = view.mappings.get(pfn) ?? 0;
    if (count === entries) return;
    const page = view.pageOf.get(pfn);
    const subject = page === undefined ? { pfn } : { page, pfn };
    rule.violate(subject, `map count ${count}, but ${entries} entries map it`);
  });
  return [rule];
}
