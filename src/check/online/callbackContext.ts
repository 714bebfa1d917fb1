/** I5: a callback neither faults, migrates, looks at page tables, removes intervals nor ends address spaces, and it stores the sequence. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn } from '../../base/units.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { FaultStep } from '../../mm/fault/fault.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import { HmmStep } from '../../mm/mirror/hmm.js';
import { type IntervalNotifier, NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import { ExitStep } from '../../mm/process/exitMm.js';
import type { Mm } from '../../mm/process/mm.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';
import { forEachUserptr } from './publishedPages.js';

/** What waits, or may wait, for a lock that the callback's caller holds, or for the callback itself. */
const forbidden: readonly StepId[] = [
  HmmStep.rangeFault,
  HmmStep.fault,
  FaultStep.handle,
  MigrateStep.collect,
  MigrateStep.unmap,
  PagemapStep.toDevmem,
  PagemapStep.toRam,
  PagemapStep.evict,
  ExitStep.exit,
  NotifierStep.invStart,
  NotifierStep.readBegin,
  GpuSvmStep.findOrInsert,
  GpuSvmStep.getPages,
  GpuSvmStep.rangeRemoved,
  GpuSvmStep.notifierRemoved,
];

/**
 * Implied by where callbacks are called from (with mmap_lock, folio locks and page-table locks held, and from reclaim) and by the contract of
 * mmu_interval_set_seq, which a callback must call whatever the event. Whoever holds the notifier lock for write is bound by the same, since callbacks
 * wait for it.
 */
class CallbackContext implements Checker {
  /** By task: the address space whose callbacks it runs. */
  private readonly running = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, start: number, npages: number, _event: number, id: number): void {
    if (task === null) return;
    if (step === NotifierStep.callback) this.running.set(task.id, id);
    else if (step === NotifierStep.invStarted) this.lookAtSequences(task, start, start + npages);
    else if (mirrorHeldBy(this.machine.coordinator, task, 'write') !== null) {
      this.sink.report(
        'I5',
        `${task.name} comes to ${stepDefinition(step).name} with a notifier lock held for write`,
      );
    }
  }

  /** All callbacks have returned: each notifier that the invalidation touches has its sequence. */
  private lookAtSequences(task: Task, start: number, end: number): void {
    const mm = this.machine.coordinator.processes.find(this.running.get(task.id) ?? -1);
    this.running.delete(task.id);
    if (mm === null) return;
    for (const { gpusvm } of this.machine.coordinator.vms) {
      if (gpusvm.mm !== mm) continue;
      let node = gpusvm.notifiers.firstOverlap(start, end);
      for (; node !== null; node = gpusvm.notifiers.nextOverlap(node, start, end))
        this.lookAtSequence(mm, node.value.interval);
    }
    forEachUserptr(mm, start, end, (_userptr, interval) => this.lookAtSequence(mm, interval));
  }

  private lookAtSequence(mm: Mm, interval: IntervalNotifier): void {
    const { invalidateSeq: seq } = mm.notifiers;
    if (interval.node === null || interval.invalidateSeq === seq) return;
    this.sink.report(
      'I5',
      `the callbacks of an invalidation have left the notifier at ${formatVpn(interval.start)} with sequence ${interval.invalidateSeq}, not ${seq}`,
    );
  }
}

export const callbackContext: CheckerKind = {
  id: 'I5',
  title: 'a callback does nothing that could wait for its caller, and stores the sequence',
  isCheap: true,
  steps: [NotifierStep.callback, NotifierStep.invStarted, ...forbidden],
  make: (machine, sink) => new CallbackContext(machine, sink),
};
