/** L3: a function of the protocol returns with the locks that it was entered with. */

import type { Machine } from '../../actors/machine.js';
import { DriverStep } from '../../driver/driverStep.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { HeldLock, Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** By the step with which a function ends, the one with which it begins. */
const begins: ReadonlyMap<StepId, StepId> = new Map([
  [DriverStep.faultDone, DriverStep.fault],
  [GpuSvmStep.getPagesDone, GpuSvmStep.getPages],
]);
const firsts: ReadonlySet<StepId> = new Set(begins.values());

/**
 * Implied by the locking rules in the comments of drm_gpusvm and xe_svm: a path that leaves early with one lock more or less than it came with
 * hangs a later one. A task that ends with a lock is refused by the scheduler in any case.
 */
class LockBalance implements Checker {
  /** By task, then by the step with which the function began. */
  private readonly entered = new Map<number, Map<StepId, readonly HeldLock[]>>();

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId): void {
    if (task === null) return;
    if (firsts.has(step)) this.enter(task, step);
    const first = begins.get(step);
    if (first !== undefined) this.leave(task, step, first);
  }

  /** A function that begins again, for another round, keeps the locks of the first time. */
  private enter(task: Task, step: StepId): void {
    let steps = this.entered.get(task.id);
    if (steps === undefined) {
      steps = new Map();
      this.entered.set(task.id, steps);
    }
    if (!steps.has(step)) steps.set(step, [...task.held]);
  }

  private leave(task: Task, step: StepId, first: StepId): void {
    const steps = this.entered.get(task.id);
    const before = steps?.get(first);
    if (steps === undefined || before === undefined) return;
    steps.delete(first);
    if (sameLocks(before, task.held)) return;
    this.sink.report(
      'L3',
      `${task.name} came to ${stepDefinition(first).name} with ${names(before)} and leaves ${stepDefinition(step).name} with ${names(task.held)}`,
    );
  }
}

function sameLocks(before: readonly HeldLock[], after: readonly HeldLock[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((held) => after.some(({ lock, mode }) => lock === held.lock && mode === held.mode));
}

function names(held: readonly HeldLock[]): string {
  return held.length === 0 ? 'no lock' : held.map(({ lock, mode }) => `${lock.name} (${mode})`).join(', ');
}

export const lockBalance: CheckerKind = {
  id: 'L3',
  title: 'a function returns with the locks that it was entered with',
  isCheap: true,
  steps: [...begins.keys(), ...firsts],
  make: (_machine: Machine, sink) => new LockBalance(sink),
};
