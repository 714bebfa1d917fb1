/** M7: that a page was stored to is not forgotten when its entry makes way for a migration. */

import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { formatPfn } from '../../memory/pfn.js';
import type { Mm } from '../../mm/process/mm.js';
import { type Pte, PteBit, pteHas, ptePfn } from '../../mm/table/pte.js';
import type { CheckerKind } from './checker.js';
import { TakenEntries, takenSteps } from './takenEntries.js';

/**
 * Implied by migrate_vma_collect_pmd and try_to_migrate_one, which mark the folio dirty for an entry that was: the copy takes over the folio's mark, and whoever
 * unmaps a page without it may throw its content away. The half of M7 about rights is looked at when all is at rest.
 */
class DirtyCarried extends TakenEntries {
  protected lookAt(_mm: Mm, page: Vpn, pte: Pte): void {
    if (!pteHas(pte, PteBit.Dirty)) return;
    const { folios } = this.machine.coordinator.kernel;
    const pfn = ptePfn(pte);
    if (folios.testFlag(folios.headOf(pfn), FolioFlag.Dirty)) return;
    this.sink.report(
      'M7',
      `pfn ${formatPfn(pfn)} at ${formatVpn(page)} was stored to, and its folio does not say so`,
    );
  }
}

export const dirtyCarried: CheckerKind = {
  id: 'M7',
  title: 'a page whose entry was dirty is dirty when it migrates',
  isCheap: true,
  steps: takenSteps,
  make: (machine, sink) => new DirtyCarried(machine, sink),
};
