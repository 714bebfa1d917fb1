/** Lets two observers see the same steps. */

import type { StepObserver } from './scheduler.js';
import type { StepId } from './steps.js';
import type { Task } from './task.js';

export class BothObservers implements StepObserver {
  constructor(
    private readonly first: StepObserver,
    private readonly second: StepObserver,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    this.first.onStep(task, step, a, b, c, d);
    this.second.onStep(task, step, a, b, c, d);
  }
}
