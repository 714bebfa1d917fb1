/** M10: a pinned page that is a process's own is never taken out of its page table to be moved. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { formatPfn, type Pfn } from '../../memory/pfn.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import type { Mm } from '../../mm/process/mm.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import { PteKind, pteFromWord, pteKind, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by folio_try_share_anon_rmap_pte: a pin of an exclusive anonymous page goes on using that page, so neither may others get to share it nor
 * may the process find another one in its place. A pin is made of exclusive pages only, so that one which is pinned and not exclusive has lost its mark, and is as
 * wrong here. Pages without a pin cost nothing: most machines have no pins at all.
 */
class PinnedStay implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, start: number, b: number, id: number): void {
    const { kernel, processes } = this.machine.coordinator;
    if (kernel.pins.folioCount === 0) return;
    const mm = processes.find(id);
    if (mm === null || mm.count === 0) return;
    const npages = step === MigrateStep.collect ? b : kernel.folios.npages(kernel.folios.headOf(b as Pfn));
    for (let page = start; page < start + npages; page++) this.lookAt(mm, page as Vpn);
  }

  private lookAt(mm: Mm, page: Vpn): void {
    const { pins, folios } = this.machine.coordinator.kernel;
    const pte = pteFromWord(mm.pageTable.get(page));
    if (pteKind(pte) !== PteKind.Migration) return;
    const pfn = ptePfn(pte);
    const head = folios.headOf(pfn);
    if (!folios.testFlag(head, FolioFlag.Anon) || !pins.isPinned(head)) return;
    this.sink.report('M10', `pinned pfn ${formatPfn(pfn)} at ${formatVpn(page)} is about to be moved`);
  }
}

export const pinnedStay: CheckerKind = {
  id: 'M10',
  title: 'a pinned page of a process is not moved',
  isCheap: true,
  steps: [RmapStep.tryToMigrate, MigrateStep.collect],
  make: (machine, sink) => new PinnedStay(machine, sink),
};
