/** One task after the other, each for the same number of choices. */

import { Random } from '../../sim/random.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';

const ROUND_ROBIN_STREAM = 4;
/** Runs of one block differ by how long a task goes on, two to the power of less than this, and by who is first. */
const QUANTUM_ORDERS = 7;
const FIRST_TASKS = 8;

export class RoundRobin implements Strategy {
  readonly name = 'round-robin';
  private readonly random: Random;
  private quantum = 0;
  private left = 0;
  private lastId = 0;

  constructor(seed: number) {
    this.random = new Random(seed, ROUND_ROBIN_STREAM);
  }

  newExecution(): boolean {
    this.quantum = 2 ** this.random.below(QUANTUM_ORDERS);
    this.left = 0;
    this.lastId = this.random.below(FIRST_TASKS);
    return true;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    if (current !== null && current.runnableIndex >= 0 && this.left > 0) {
      this.left--;
      return current.runnableIndex;
    }
    const chosen = this.after(runnable, this.lastId);
    this.lastId = runnable[chosen].id;
    this.left = this.quantum - 1;
    return chosen;
  }

  nextU32(): number {
    return this.random.u32();
  }

  /** The task with the next number, or the lowest. */
  private after(runnable: readonly Task[], id: number): number {
    let next = -1;
    let lowest = 0;
    for (let i = 0; i < runnable.length; i++) {
      if (runnable[i].id > id && (next < 0 || runnable[i].id < runnable[next].id)) next = i;
      if (runnable[i].id < runnable[lowest].id) lowest = i;
    }
    return next >= 0 ? next : lowest;
  }
}
