/** D4: a reservation of I/O addresses does not outlive the mappings that it is for. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverRange } from '../../driver/driverRange.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';

/**
 * Implied by dma_iova_destroy, which the end of a mapping calls for the whole reservation, and not for what of it was linked. Looked at when an
 * invalidation has ended the mappings of a range, with the notifier lock held for write, so that nobody is in the middle of making new ones.
 */
class ReservationsEnd implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, _step: StepId, start: number): void {
    const vm = task === null ? null : mirrorHeldBy(this.machine.coordinator, task, 'write');
    const range = vm?.gpusvm.findRange(start as Vpn);
    if (!(range instanceof DriverRange)) return;
    for (const { pages, gpu } of range.parts) {
      if (pages.has(PagesFlag.HasDmaMapping) || pages.state.npages === 0) continue;
      const what = `gpu${gpu.index} keeps ${pages.state.npages} I/O pages reserved`;
      this.sink.report(
        'D4',
        `${what} for the range at ${formatVpn(start as Vpn)}, which it does not map any more`,
      );
    }
  }
}

export const reservationsEnd: CheckerKind = {
  id: 'D4',
  title: 'pages that are mapped no more have no I/O addresses reserved',
  isCheap: true,
  steps: [GpuSvmStep.setUnmapped],
  make: (machine, sink) => new ReservationsEnd(machine, sink),
};
