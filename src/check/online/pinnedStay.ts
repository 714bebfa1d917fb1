/** M10: a pinned page that is a process's own is never taken out of its page table to be moved. */

import { formatVpn, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { formatPfn } from '../../memory/pfn.js';
import type { Mm } from '../../mm/process/mm.js';
import { type Pte, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { CheckerKind } from './checker.js';
import { TakenEntries, takenSteps } from './takenEntries.js';

/**
 * Implied by folio_try_share_anon_rmap_pte: a pin of an exclusive anonymous page goes on using that page, so neither may others get to share it nor
 * may the process find another one in its place. A pin is made of exclusive pages only, so that one which is pinned and not exclusive has lost its mark, and is as
 * wrong here. Pages without a pin cost nothing: most machines have no pins at all.
 */
class PinnedStay extends TakenEntries {
  override onStep(task: Task | null, step: StepId, start: number, told: number, id: number): void {
    if (this.machine.coordinator.kernel.pins.folioCount > 0) super.onStep(task, step, start, told, id);
  }

  protected lookAt(_mm: Mm, page: Vpn, pte: Pte): void {
    const { pins, folios } = this.machine.coordinator.kernel;
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
  steps: takenSteps,
  make: (machine, sink) => new PinnedStay(machine, sink),
};
