/** M3: a folio's map count is the number of entries that map it. */

import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by the page-table lock: an entry and the map count of its folio change together under it, by folio_add_anon_rmap_ptes and folio_remove_rmap_ptes and
 * their like, and an entry for device-private memory counts as one that is present. A count too low frees a page that is mapped; one too high keeps migration
 * from ever getting all references.
 */
export function checkMapcounts(view: MachineView): Rule[] {
  const rule = new Rule('M3', 'folios', 'entries');
  for (const pfn of view.mappings.frames) rule.look('entries', view.mappings.of(pfn));
  rule.look('folios', view.freeFrames);
  view.forEachFolio((pfn) => {
    rule.look('folios');
    const count = view.folios.mapcount(pfn);
    const entries = view.mappings.of(pfn);
    if (count === entries) return;
    rule.violate(view.subjectOf(pfn), `map count ${count}, but ${entries} entries map it`);
  });
  return [rule];
}
