/** I7: a range is complete when callbacks can find it: nothing of it is mapped, bound or unmapped yet. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverRange } from '../../driver/driverRange.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import type { GpuSvmRange } from '../../drm/gpusvm/range.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by mmu_interval_notifier_insert, from whose call on callbacks may come: what they look at must have been initialised before, all of it, since a
 * pages object with flags of whatever lay in its memory counts as valid.
 */
class FreshRanges implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  /**
   * Of a new window the ranges can be found only when the notifier is in its tree, which comes last. The driver's lock says whose it is: mirrors of one
   * process have windows at the same addresses.
   */
  onStep(task: Task | null, _step: StepId, start: number, npages: number): void {
    if (task === null) return;
    for (const { gpusvm, svmLock } of this.machine.coordinator.vms) {
      if (!svmLock.isHeldByCurrent) continue;
      for (const range of gpusvm.rangesIn(start as Vpn, (start + npages) as Vpn)) this.lookAt(range, start);
    }
  }

  private lookAt(range: GpuSvmRange, start: number): void {
    if (!(range instanceof DriverRange) || range.refs !== 1 || range.unmapped) return;
    if (range.parts.every(({ bound, pages }) => !bound && pages.flags === 0)) return;
    this.sink.report('I7', `a range at ${formatVpn(start as Vpn)} begins with what it should not have`);
  }
}

export const freshRanges: CheckerKind = {
  id: 'I7',
  title:
    'the ranges of a new notifier are complete, and nothing of them is mapped, when callbacks can find it',
  isCheap: true,
  steps: [GpuSvmStep.notifierInserted],
  make: (machine, sink) => new FreshRanges(machine, sink),
};
