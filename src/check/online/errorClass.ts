/** E3: a fault ends for want of memory only if there was none. */

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

/** Ends of what a fault calls, with where each has its errno. */
const inner: ReadonlyMap<StepId, number> = new Map(
  [HmmStep.done, GpuSvmStep.getPagesDone, GpuSvmStep.evict, PagemapStep.toDevmemFailed, DriverStep.bound].map(
    (step) => [step, stepDefinition(step).fields.indexOf('errno')],
  ),
);

/**
 * Implied by the meaning that drivers give to errors: -EBUSY and -EAGAIN are tried again, -ENOMEM is not, so an error on the way may not change its
 * class. Objects of the mirror itself are allocated without a step of their own; such failures are only ever injected, and then nothing is said.
 */
class ErrorClass implements Checker {
  /** Tasks of which something that they called found no memory. */
  private readonly starved = new Set<number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (task === null) return;
    if (step === DriverStep.fault) {
      if (this.starved.size > 0) this.starved.delete(task.id);
    } else if (step === DriverStep.faultDone) {
      if (c === Errno.ENOMEM) this.lookAtEnd(task, a, b);
    } else {
      const position = inner.get(step);
      const errno = position === 2 ? c : d;
      if (errno === Errno.ENOMEM) this.starved.add(task.id);
    }
  }

  private lookAtEnd(task: Task, page: number, device: number): void {
    if (this.starved.delete(task.id) || this.machine.coordinator.kernel.hasInjector) return;
    const where = formatVpn(page as Vpn);
    this.sink.report(
      'E3',
      `a fault of gpu${device} at ${where} ends with -ENOMEM, but nothing lacked memory`,
    );
  }
}

export const errorClass: CheckerKind = {
  id: 'E3',
  title: 'an error on the way out keeps its class: -ENOMEM comes from a lack of memory only',
  isCheap: true,
  steps: [DriverStep.fault, DriverStep.faultDone, ...inner.keys()],
  make: (machine, sink) => new ErrorClass(machine, sink),
};
