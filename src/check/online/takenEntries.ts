/** What checkers of migrations have in common: they look at the entries that have just made way for one. */

import type { Machine } from '../../actors/machine.js';
import type { Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import type { Mm } from '../../mm/process/mm.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import { type Pte, PteKind, pteFromWord, pteKind } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, ViolationSink } from './checker.js';

/** Right after them, each with the first page, what {@link takenPages} takes, and the address space. */
export const takenSteps: readonly StepId[] = [MigrateStep.collect, RmapStep.tryToMigrate];

/** Pages that one of these steps is about: it tells their number, or a page of the folio that they are. */
export function takenPages({ folios }: Kernel, step: StepId, told: number): number {
  return step === MigrateStep.collect ? told : folios.npages(folios.headOf(told as Pfn));
}

export abstract class TakenEntries implements Checker {
  constructor(
    protected readonly machine: Machine,
    protected readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, start: number, told: number, id: number): void {
    const { kernel, processes } = this.machine.coordinator;
    const mm = processes.find(id);
    if (mm === null || mm.count === 0) return;
    const end = start + takenPages(kernel, step, told);
    for (let page = start; page < end; page++) {
      const pte = pteFromWord(mm.pageTable.get(page));
      if (pteKind(pte) === PteKind.Migration) this.lookAt(mm, page as Vpn, pte);
    }
  }

  protected abstract lookAt(mm: Mm, page: Vpn, pte: Pte): void;
}
