/** Hands every question to another strategy, and remembers which task goes on. */

import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';

export class WatchedStrategy implements Strategy {
  readonly name: string;
  /** The task of the step that is under way, or was taken last. */
  last: Task | null = null;

  constructor(private readonly inner: Strategy) {
    this.name = inner.name;
  }

  newExecution(): boolean {
    this.last = null;
    return this.inner.newExecution();
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    const index = this.inner.nextTask(runnable, current);
    this.last = runnable[index];
    return index;
  }

  onlyTask(task: Task): void {
    this.last = task;
    this.inner.onlyTask?.(task);
  }

  nextU32(): number {
    return this.inner.nextU32();
  }
}
