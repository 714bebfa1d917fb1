/** Hands every question to another strategy and writes down what it answers. */

import type { Strategy } from '../sim/strategy.js';
import type { Task } from '../sim/task.js';
import { Schedule } from './schedule.js';

export class RecordingStrategy implements Strategy {
  readonly schedule = new Schedule();
  /** Times that a task that could have gone on had to wait for another one. */
  preemptions = 0;

  constructor(private inner: Strategy) {}

  get name(): string {
    return this.inner.name;
  }

  /** From the next execution on. */
  set strategy(inner: Strategy) {
    this.inner = inner;
  }

  newExecution(): boolean {
    this.schedule.clear();
    this.preemptions = 0;
    return this.inner.newExecution();
  }

  /** Where only one can go on there is nothing to choose, and nothing to record. */
  nextTask(runnable: readonly Task[], current: Task | null): number {
    if (runnable.length === 1) return 0;
    const index = this.inner.nextTask(runnable, current);
    const task = runnable[index];
    this.schedule.addTask(task.id);
    if (current !== null && task !== current && current.runnableIndex >= 0) this.preemptions++;
    return index;
  }

  nextU32(): number {
    const value = this.inner.nextU32();
    this.schedule.addRandom(value);
    return value;
  }
}
