/** E2: a request to bind memory of a device, or none, that succeeded has bound it. */

import type { Machine } from '../../actors/machine.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { DriverVa } from '../../driver/vmBind/driverVa.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by vm_bind_ioctl_ops_execute, whose success tells the program that the device may use the mapping at once: it has its entries, or it has been marked
 * since, because its object had to move, and a submission binds it again. The process's own pages may be taken away at any time, and are left out. The vm lock
 * is held, so that the mapping cannot go.
 */
class BindsHold implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, _step: StepId, start: number, n: number, device: number, errno: number): void {
    if (task === null || errno !== Errno.OK) return;
    const va = this.mappingAt(task, start, device);
    if (va === null || va.start !== start || va.npages !== n || !va.hasFixedEntries) return;
    if (va.bound || va.isInvalidated) return;
    const where = formatVpn(start as Vpn);
    this.sink.report(
      'E2',
      `a request to bind ${n} pages of gpu${device} at ${where} succeeded and bound none`,
    );
  }

  /** In the address space whose vm lock the task holds. */
  private mappingAt(task: Task, page: number, device: number): DriverVa | null {
    const { vms, gpus } = this.machine.coordinator;
    for (const vm of vms) {
      for (const { lock } of task.held)
        if (lock === vm.vmLock) return vm.deviceVms.get(gpus[device])?.vaAt(page) ?? null;
    }
    return null;
  }
}

export const bindsHold: CheckerKind = {
  id: 'E2',
  title: 'a request to bind an object, or no memory, that succeeded has bound it',
  isCheap: true,
  steps: [DriverStep.vmBound],
  make: (machine, sink) => new BindsHold(machine, sink),
};
