/** Hands every question to another strategy and writes down what it answers. */

import { Random } from '../sim/random.js';
import type { Strategy } from '../sim/strategy.js';
import type { Task } from '../sim/task.js';
import { Schedule } from './schedule.js';

export class RecordingStrategy implements Strategy {
  /** Times that a task that could have gone on had to wait for another one. */
  preemptions = 0;

  private fair: Random | null = null;
  private chosen = 0;

  constructor(
    private readonly inner: Strategy,
    /** Steps after which everybody gets a fair chance: only then is a run without an end a fault of the protocol, and not of the strategy. */
    private readonly fairAfter: number,
    /** What is recorded; of the run before nothing stays. */
    readonly schedule = new Schedule(),
  ) {}

  /** Of the run that is recorded: the steps that it has taken. */
  stepsTaken: () => number = () => 0;

  get name(): string {
    return this.inner.name;
  }

  newExecution(): boolean {
    this.schedule.clear();
    this.preemptions = 0;
    this.chosen = 0;
    this.fair = null;
    return this.inner.newExecution();
  }

  /** Where only one can go on there is nothing to choose, and nothing to record. */
  nextTask(runnable: readonly Task[], current: Task | null): number {
    if (runnable.length === 1) {
      this.inner.onlyTask?.(runnable[0]);
      return 0;
    }
    const index = this.choose(runnable, current);
    const task = runnable[index];
    this.schedule.addTask(task.id);
    if (current !== null && task !== current && current.runnableIndex >= 0) this.preemptions++;
    return index;
  }

  private choose(runnable: readonly Task[], current: Task | null): number {
    this.chosen++;
    if (this.fair === null && this.stepsTaken() < this.fairAfter)
      return this.inner.nextTask(runnable, current);
    this.fair ??= this.takeOver();
    return this.fair.below(runnable.length);
  }

  private takeOver(): Random {
    this.inner.overruled?.();
    return new Random(this.chosen);
  }

  nextU32(): number {
    const value = this.inner.nextU32();
    this.schedule.addRandom(value);
    return value;
  }
}
