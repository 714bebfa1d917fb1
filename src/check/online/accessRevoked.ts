/** I4: from the last callback of an invalidation to its end no device has access to what it covers. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverRange } from '../../driver/driverRange.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by the contract of mmu_notifier_invalidate_range_start: between start and end the pages may be freed as soon as the callbacks have
 * returned, and readers wait, so there is neither a translation nor a DMA mapping on any device. What the hardware has left is looked at when all is
 * at rest.
 */
class AccessRevoked implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, _step: StepId, start: number, npages: number, _event: number, id: number): void {
    for (const vm of this.machine.coordinator.vms) {
      if (vm.mm.id === id && !vm.closed) this.lookAt(vm, start, start + npages);
    }
  }

  private lookAt({ gpusvm }: SvmVm, start: number, end: number): void {
    const { ranges } = gpusvm;
    for (
      let node = ranges.firstOverlap(start, end);
      node !== null;
      node = ranges.nextOverlap(node, start, end)
    ) {
      if (node.value instanceof DriverRange) this.lookAtRange(node.value);
    }
  }

  private lookAtRange(range: DriverRange): void {
    for (const { gpu, bound, pages } of range.parts) {
      if (!bound && !pages.has(PagesFlag.HasDmaMapping)) continue;
      const what = bound ? 'translations' : 'DMA mappings';
      const where = formatVpn(range.start as Vpn);
      this.sink.report('I4', `gpu${gpu.index} has ${what} of the range at ${where} in an invalidation of it`);
    }
  }
}

export const accessRevoked: CheckerKind = {
  id: 'I4',
  title: 'when an invalidation ends, no device has translations or DMA mappings of what it covered',
  isCheap: true,
  steps: [NotifierStep.invEnd],
  make: (machine, sink) => new AccessRevoked(machine, sink),
};
