/** I2: every invalidation that starts ends, and none ends that has not started. */

import type { Machine } from '../../actors/machine.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by the contract of mmu_notifier_invalidate_range_start and _end: readers wait for the count of active invalidations, so one that never
 * ends blocks them for ever, and one that ends twice lets them go on too early. Counted by address space.
 */
class InvalidationPairs implements Checker {
  private readonly open = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, _page: number, _npages: number, _event: number, mm: number): void {
    if (step === NotifierStep.invStart) this.open.set(mm, (this.open.get(mm) ?? 0) + 1);
    else if (step === NotifierStep.invEnd) this.end(mm);
  }

  atRest(): void {
    for (const [mm, open] of this.open) {
      if (open !== 0) this.sink.report('I2', `${open} invalidations in mm ${mm} have not ended`);
    }
    for (const { id, notifiers } of this.machine.coordinator.processes.all()) {
      const active = notifiers.activeInvalidations;
      if (active !== 0) this.sink.report('I2', `mm ${id} counts ${active} active invalidations at rest`);
    }
  }

  private end(mm: number): void {
    const open = (this.open.get(mm) ?? 0) - 1;
    // Processes come and go for as long as a run goes on.
    if (open === 0) this.open.delete(mm);
    else this.open.set(mm, open);
    if (open < 0) this.sink.report('I2', `an invalidation in mm ${mm} ends that has not started`);
  }
}

export const invalidationPairs: CheckerKind = {
  id: 'I2',
  title: 'every invalidation that starts ends once',
  isCheap: true,
  steps: [NotifierStep.invStart, NotifierStep.invEnd],
  make: (machine, sink) => new InvalidationPairs(machine, sink),
};
