/** G6: a submission that goes on has all objects of its address space where they belong. */

import { DriverStep } from '../../driver/driverStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by drm_gpuvm_validate: it goes through the list of evicted objects until that is empty, or reports the first error. All reservations are held, so
 * nobody evicts one meanwhile.
 */
class ValidateEmpties implements Checker {
  constructor(private readonly sink: ViolationSink) {}

  onStep(_task: Task | null, _step: StepId, device: number, count: number, errno: number): void {
    if (errno !== 0 || count === 0) return;
    this.sink.report(
      'G6',
      `all objects of gpu${device} count as validated, but ${count} of them are evicted`,
    );
  }
}

export const validateEmpties: CheckerKind = {
  id: 'G6',
  title: 'validation leaves no object evicted, or reports an error',
  isCheap: true,
  steps: [DriverStep.validated],
  make: (_machine, sink) => new ValidateEmpties(sink),
};
