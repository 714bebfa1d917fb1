/** M7: that a page was stored to is not forgotten when its entry makes way for a migration. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { formatPfn, type Pfn } from '../../memory/pfn.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import type { Mm } from '../../mm/process/mm.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import { PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by migrate_vma_collect_pmd and try_to_migrate_one, which mark the folio dirty for an entry that was: the copy takes over the folio's mark, and whoever
 * unmaps a page without it may throw its content away. The half of M7 about rights is looked at when all is at rest.
 */
class DirtyCarried implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, start: number, b: number, id: number): void {
    const { kernel, processes } = this.machine.coordinator;
    const mm = processes.find(id);
    if (mm === null || mm.count === 0) return;
    const npages = step === MigrateStep.collect ? b : kernel.folios.npages(kernel.folios.headOf(b as Pfn));
    for (let page = start; page < start + npages; page++) this.lookAt(mm, page as Vpn);
  }

  private lookAt(mm: Mm, page: Vpn): void {
    const pte = pteFromWord(mm.pageTable.get(page));
    if (pteKind(pte) !== PteKind.Migration || !pteHas(pte, PteBit.Dirty)) return;
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
  steps: [MigrateStep.collect, RmapStep.tryToMigrate],
  make: (machine, sink) => new DirtyCarried(machine, sink),
};
