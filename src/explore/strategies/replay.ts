/** Repeats a recorded schedule. */

import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { RANDOM_CHOICE } from '../schedule.js';

/**
 * Where the recorded task cannot go on, or nothing is recorded any more, the task that ran last goes on, or else the oldest: so that a
 * schedule with parts cut out is still one.
 */
export class ReplayStrategy implements Strategy {
  readonly name = 'replay';
  private at = 0;
  private started = false;
  /** Choices that could not be repeated. */
  divergences = 0;

  constructor(private readonly choices: Uint32Array) {}

  newExecution(): boolean {
    if (this.started) return false;
    this.started = true;
    this.at = 0;
    this.divergences = 0;
    return true;
  }

  /** Whether every choice was asked for, and could be repeated. */
  get isExact(): boolean {
    return this.divergences === 0 && this.at === this.choices.length;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    if (runnable.length === 1) return 0;
    const { choices } = this;
    if (this.at < choices.length && choices[this.at] !== RANDOM_CHOICE) {
      const id = choices[this.at++];
      const index = runnable.findIndex((task) => task.id === id);
      if (index >= 0) return index;
    }
    this.divergences++;
    return continueOrOldest(runnable, current);
  }

  nextU32(): number {
    const { choices } = this;
    if (choices[this.at] === RANDOM_CHOICE && this.at + 1 < choices.length) {
      this.at += 2;
      return choices[this.at - 1];
    }
    this.divergences++;
    return 0;
  }
}

/** The choice without a preemption. */
export function continueOrOldest(runnable: readonly Task[], current: Task | null): number {
  if (current !== null && current.runnableIndex >= 0) return current.runnableIndex;
  let oldest = 0;
  for (let i = 1; i < runnable.length; i++) if (runnable[i].id < runnable[oldest].id) oldest = i;
  return oldest;
}
