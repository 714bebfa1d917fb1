/** M4: at rest no folio is locked, and no entry says that its page is in migration. */

import { formatPte, PteKind, pteKind, ptePfn } from '../mm/table/pte.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by the folio lock, whose owner alone may replace entries by migration entries, and must put others in their place before it unlocks: whoever meets a
 * migration entry sleeps until the lock is released, and would sleep for ever at one that is left.
 */
export function checkFolioLocks(view: MachineView): Rule[] {
  const rule = new Rule('M4', 'folios', 'entries');
  const { folios } = view;
  rule.look('folios', view.freeFrames);
  view.forEachFolio((pfn) => {
    rule.look('folios');
    const owner = folios.lockOwner(pfn);
    if (!folios.isLocked(pfn) && owner === 0) return;
    rule.violate(view.subjectOf(pfn), `locked by task ${owner} while nothing runs`);
  });
  rule.look('entries', view.entries.size);
  view.entries.forEach((_, page, pte) => {
    if (pteKind(pte) === PteKind.Migration)
      rule.violate({ page, pfn: ptePfn(pte) }, `left in migration: ${formatPte(pte)}`);
  });
  return [rule];
}
