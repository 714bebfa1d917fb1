/** R4: the steps of a request to bind or unbind are freed, each once, by the time that it ends. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by drm_gpuva_ops_free, which whoever asked for a list must call, and by drm_gpuva_sm_step, which has to undo what it has allocated of a step when
 * memory runs out. The vm lock is held for write, so that no other request has a list of the same address space. What is freed twice is found by an
 * assertion.
 */
class OpListsFreed implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, _step: StepId, start: number, npages: number, device: number): void {
    const { vms, gpus } = this.machine.coordinator;
    const vm = vms.find(({ vmLock }) => task?.held.some(({ lock }) => lock === vmLock));
    const live = vm?.deviceVms.get(gpus[device])?.gpuvm.splitMerge.memory.live ?? 0;
    if (live === 0) return;
    const what = `a request for ${npages} pages at ${formatVpn(start as Vpn)} of gpu${device}`;
    this.sink.report('R4', `${what} has left ${live} allocations of its list of steps`);
  }
}

export const opListsFreed: CheckerKind = {
  id: 'R4',
  title: 'the steps of a request to bind or unbind are freed when it ends',
  isCheap: true,
  steps: [DriverStep.vmBound],
  make: (machine, sink) => new OpListsFreed(machine, sink),
};
