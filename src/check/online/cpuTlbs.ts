/** M8: no CPU goes on using a translation that has become a migration entry. */

import { formatVpn, type Vpn } from '../../base/units.js';
import type { Mm } from '../../mm/process/mm.js';
import { type Pte, ptePfn } from '../../mm/table/pte.js';
import type { CheckerKind } from './checker.js';
import { TakenEntries, takenSteps } from './takenEntries.js';

/**
 * Implied by migrate_vma_collect_pmd and try_to_migrate_one, which flush before they let go of the page-table lock: the page is copied without anybody
 * being told, so a store through an old translation would be lost.
 */
class CpuTlbs extends TakenEntries {
  protected lookAt(mm: Mm, page: Vpn, pte: Pte): void {
    for (const cpu of this.machine.cpus) {
      // Another process may still have the frame at the same address, until its own entry goes.
      if (cpu.tableRoot !== mm.pageTable.root || cpu.cachedFrame(page) !== ptePfn(pte)) continue;
      this.sink.report(
        'M8',
        `cpu${cpu.index} still has the translation of ${formatVpn(page)}, which migrates`,
      );
    }
  }
}

export const cpuTlbs: CheckerKind = {
  id: 'M8',
  title: 'no CPU has a translation of a page that migrates',
  isCheap: false,
  steps: takenSteps,
  make: (machine, sink) => new CpuTlbs(machine, sink),
};
