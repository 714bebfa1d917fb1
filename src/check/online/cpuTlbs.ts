/** M8: no CPU goes on using a translation that has become a migration entry. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import type { Mm } from '../../mm/process/mm.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import { PteKind, pteFromWord, pteKind, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by migrate_vma_collect_pmd and try_to_migrate_one, which flush before they let go of the page-table lock: the page is copied without anybody
 * being told, so a store through an old translation would be lost.
 */
class CpuTlbs implements Checker {
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
    if (pteKind(pte) !== PteKind.Migration) return;
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
  steps: [MigrateStep.collect, RmapStep.tryToMigrate],
  make: (machine, sink) => new CpuTlbs(machine, sink),
};
