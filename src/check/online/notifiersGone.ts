/** I6: what callbacks can still find is not freed. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { intervalAt } from './publishedPages.js';

/**
 * Implied by mmu_interval_notifier_remove, which returns only when no callback of the notifier runs or will, and by the deferred list: what waits there
 * for the end of an invalidation is read when it ends. A notifier that is freed before would be called, or put into a list, as freed memory.
 */
class NotifiersGone implements Checker {
  /** Of windows that are there; mirrors of one process can have them at the same addresses. */
  private readonly intervals = new Map<IntervalNotifier, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, start: number, _npages: number, mm: number): void {
    if (step === GpuSvmStep.notifierInserted) this.remember(start, mm);
    else this.lookAtGone(start);
  }

  private remember(start: number, mm: number): void {
    for (const vm of this.machine.coordinator.vms) {
      const interval = vm.mm.id === mm ? intervalAt(vm, start) : null;
      if (interval !== null) this.intervals.set(interval, start);
    }
  }

  /** Whichever of them is in no mirror any more is the one that goes. */
  private lookAtGone(start: number): void {
    for (const [interval, at] of this.intervals) {
      if (at !== start || this.isInUse(interval, start)) continue;
      this.intervals.delete(interval);
      if (interval.node === null && interval.deferred === null) continue;
      const where = interval.node === null ? 'on the list of what is put off' : 'in the tree';
      this.sink.report('I6', `the notifier at ${formatVpn(start as Vpn)} is freed while it is ${where}`);
    }
  }

  private isInUse(interval: IntervalNotifier, start: number): boolean {
    for (const vm of this.machine.coordinator.vms) if (intervalAt(vm, start) === interval) return true;
    return false;
  }
}

export const notifiersGone: CheckerKind = {
  id: 'I6',
  title: 'a notifier that is freed is in no tree and on no list of what is put off',
  isCheap: true,
  steps: [GpuSvmStep.notifierInserted, GpuSvmStep.notifierRemoved],
  make: (machine, sink) => new NotifiersGone(machine, sink),
};
