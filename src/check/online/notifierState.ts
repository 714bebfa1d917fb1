/** I1: the sequence of an address space only grows, and is odd only while an invalidation runs. */

import type { Machine } from '../../actors/machine.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by mmu_interval_read_begin and mn_itree_inv_end: odd means that a running invalidation may walk the tree, and a reader compares sequences
 * that it has taken at different times, so one that came back would hide an invalidation from it.
 */
class NotifierState implements Checker {
  /** By address space: the sequence that was seen last. */
  private readonly seen = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, _page: number, _npages: number, c: number, d: number): void {
    this.look(step === NotifierStep.readBegin ? c : d);
  }

  atRest(): void {
    const { processes } = this.machine.coordinator;
    for (const { id } of processes.all()) this.look(id);
    for (const id of this.seen.keys()) if (processes.find(id) === null) this.seen.delete(id);
  }

  private look(id: number): void {
    const mm = this.machine.coordinator.processes.find(id);
    if (mm === null) return;
    const { activeInvalidations: active, invalidateSeq: seq } = mm.notifiers;
    if (active < 0 || (active === 0 && (seq & 1) !== 0)) {
      this.sink.report('I1', `mm ${id} has sequence ${seq} with ${active} invalidations running`);
    }
    const last = this.seen.get(id) ?? 0;
    if (seq < last) this.sink.report('I1', `the sequence of mm ${id} went from ${last} back to ${seq}`);
    if (seq !== last) this.seen.set(id, seq);
  }
}

export const notifierState: CheckerKind = {
  id: 'I1',
  title: 'the sequence of an address space only grows, and is odd only while an invalidation runs',
  isCheap: true,
  steps: [NotifierStep.invStart, NotifierStep.callback, NotifierStep.invEnd, NotifierStep.readBegin],
  make: (machine, sink) => new NotifierState(machine, sink),
};
