/** The three questions that a scheduler strategy answers; everything that varies between two executions is in the answers. */

import type { Task } from './task.js';

/** Makes every choice of an execution. */
export interface Strategy {
  readonly name: string;
  /** Prepares for one more execution; false when the strategy has no more to offer. */
  newExecution(): boolean;
  /** Index into `runnable`, which is never empty, of the task to run next. `current` ran last, and may be absent from `runnable`. */
  nextTask(runnable: readonly Task[], current: Task | null): number;
  /** Told of a step at which there was nothing to choose, by those who ask only where there is. */
  onlyTask?(task: Task): void;
  /** Told once that from here on somebody else chooses, until the execution ends. */
  overruled?(): void;
  /** A random 32-bit number for the protocol; part of the schedule. */
  nextU32(): number;
}
