/** E2: a fault that was served has bound the page, or found it bound. */

import type { Machine } from '../../actors/machine.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by the contract of a page-fault handler: success lets the access be tried again, so the fault must have made it possible, if only for a moment:
 * an invalidation may have taken the binding away since.
 */
class SuccessHolds implements Checker {
  /** By task: 1 once its fault has bound something that holds its page. */
  private readonly served = new Map<number, number>();
  /** By task: the page of its fault. */
  private readonly pages = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, start: number, b: number, c: number, d: number): void {
    if (task === null) return;
    if (step === DriverStep.fault) this.begin(task, start);
    else if (step === DriverStep.faultDone) this.end(task, start, b, c);
    else if (step === DriverStep.spurious || d === Errno.OK) this.noteBound(task, start, start + b);
  }

  private begin(task: Task, page: number): void {
    this.served.set(task.id, 0);
    this.pages.set(task.id, page);
  }

  private noteBound(task: Task, start: number, end: number): void {
    const page = this.pages.get(task.id);
    if (page !== undefined && page >= start && page < end) this.served.set(task.id, 1);
  }

  private end(task: Task, page: number, device: number, errno: number): void {
    const served = this.served.get(task.id) === 1;
    this.served.delete(task.id);
    this.pages.delete(task.id);
    if (errno !== Errno.OK || served || this.isBoundByHand(page, device)) return;
    const where = formatVpn(page as Vpn);
    this.sink.report('E2', `a fault of gpu${device} at ${where} was served, but nothing was bound there`);
  }

  /** There, or wherever the device may have meant it: a step does not say whose page it is. */
  private isBoundByHand(page: number, device: number): boolean {
    for (const { deviceVms } of this.machine.coordinator.vms) {
      for (const [gpu, deviceVm] of deviceVms) {
        if (gpu.index === device && deviceVm.vaAt(page as Vpn)?.kind !== 'mirror') return true;
      }
    }
    return false;
  }
}

export const successHolds: CheckerKind = {
  id: 'E2',
  title: 'a fault that was served has bound its page, or found it bound',
  isCheap: true,
  steps: [DriverStep.fault, DriverStep.spurious, DriverStep.bound, DriverStep.faultDone],
  make: (machine, sink) => new SuccessHolds(machine, sink),
};
