/** R2: what has gone does not come back, and no work is done for what has ended. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import type { GpuSvmRange } from '../../drm/gpusvm/range.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by the reference count of ranges, of which the tree has one for as long as a look-up can find the range, so that nobody takes the first one of
 * what is being freed; and by disable_work_sync in the end of a mirror, which comes before its ranges go: work that began later would use locks and trees
 * that are freed.
 */
class NothingReturns implements Checker {
  /** Mirrors that have had ranges; those that have ended are known to nobody else. */
  private readonly vms = new Set<SvmVm>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, step: StepId, page: number, npages: number): void {
    if (step === DriverStep.collectGarbage) this.lookForWork();
    else this.lookAtRanges(page, page + npages);
  }

  private lookAtRanges(start: number, end: number): void {
    for (const vm of this.machine.coordinator.vms) this.vms.add(vm);
    for (const vm of this.vms) this.lookAtRangesOf(vm, start as Vpn, end as Vpn);
  }

  /** Those that lie side by side from the first page on. */
  private lookAtRangesOf(vm: SvmVm, start: Vpn, end: Vpn): void {
    for (let at: Vpn | null = start; at !== null; ) {
      const range: GpuSvmRange | null = vm.gpusvm.findRange(at);
      if (range === null) return;
      at = range.end < end ? range.end : null;
      if (range.refs < 1) this.sink.report('R2', `${nameOf(range, vm)} is used, but nobody holds it`);
      if (vm.finished) this.sink.report('R2', `${nameOf(range, vm)} was made after the end of the mirror`);
    }
  }

  private lookForWork(): void {
    for (const { finished, collector, config } of this.vms) {
      if (finished && collector.hasWork)
        this.sink.report('R2', `garbage of ${config.name} is collected after the end of the mirror`);
    }
  }
}

function nameOf({ start }: { readonly start: Vpn }, { config }: SvmVm): string {
  return `the range at ${formatVpn(start)} of ${config.name}`;
}

export const nothingReturns: CheckerKind = {
  id: 'R2',
  title: 'ranges in use are held, and no work is done for a mirror that has ended',
  isCheap: true,
  steps: [GpuSvmStep.rangeInserted, DriverStep.bound, DriverStep.collectGarbage],
  make: (machine, sink) => new NothingReturns(machine, sink),
};
