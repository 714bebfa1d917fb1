/** E3: a fault, a request to bind and a prefetch end for want of memory only if there was none. */

import type { Machine } from '../../actors/machine.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { HmmStep } from '../../mm/mirror/hmm.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** What a program or a device asks for, from its first page on. */
const begins: readonly StepId[] = [DriverStep.fault, DriverStep.vmBind, DriverStep.prefetch];
const ends: readonly StepId[] = [DriverStep.faultDone, DriverStep.vmBound, DriverStep.prefetchDone];

/** By step: where it has its errno. */
const errnoAt: number[] = [];

/** Ends of what those call. */
const inner: readonly StepId[] = [
  HmmStep.done,
  GpuSvmStep.getPagesDone,
  GpuSvmStep.evict,
  PagemapStep.toDevmemFailed,
  DriverStep.bound,
  DriverStep.boNotValidated,
  DriverStep.notListed,
];
for (const step of [...inner, ...ends]) errnoAt[step] = stepDefinition(step).fields.indexOf('errno');

/**
 * Implied by the meaning that drivers give to errors: -EBUSY and -EAGAIN are tried again, -ENOMEM is not, so an error on the way may not change its
 * class. Objects of the mirror itself are allocated without a step of their own; such failures are only ever injected, and then nothing is said. The -ENOMEM
 * that pinning pages of the process makes of its -EBUSY before a bind begins is the kernel's own. What becomes -EFAULT is L4's business.
 */
class ErrorClass implements Checker {
  /** Tasks of which something that they called found no memory. */
  private readonly starved = new Set<number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, _b: number, c: number, d: number): void {
    if (task === null) return;
    if (begins.includes(step)) {
      if (this.starved.size > 0) this.starved.delete(task.id);
      return;
    }
    const errno = errnoAt[step] === 2 ? c : d;
    if (errno !== Errno.ENOMEM) return;
    if (ends.includes(step)) this.lookAtEnd(task, step, a);
    else this.starved.add(task.id);
  }

  private lookAtEnd(task: Task, step: StepId, page: number): void {
    if (this.starved.delete(task.id) || this.machine.coordinator.kernel.hasInjector) return;
    const where = formatVpn(page as Vpn);
    this.sink.report(
      'E3',
      `${stepDefinition(step).name} at ${where} says -ENOMEM, but nothing lacked memory`,
    );
  }
}

export const errorClass: CheckerKind = {
  id: 'E3',
  title: 'an error on the way out keeps its class: -ENOMEM comes from a lack of memory only',
  isCheap: true,
  steps: [...begins, ...ends, ...inner],
  make: (machine, sink) => new ErrorClass(machine, sink),
};
