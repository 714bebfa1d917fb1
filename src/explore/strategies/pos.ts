/** Partial order sampling: every step of a task has a random priority of its own; whoever was passed over by a step that races with it, draws anew. */

import { Random } from '../../sim/random.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { TaskNumbers } from './taskNumbers.js';

const POS_STREAM = 2;

/**
 * X. Yuan, J. Yang, R. Gu: "Partial Order Aware Concurrency Sampling", CAV 2018. What a task will touch is not known before it runs; two tasks that
 * stand at the same named step are taken to race.
 */
export class PartialOrderSampling implements Strategy {
  readonly name = 'pos';
  private readonly random: Random;
  private readonly priorities = new TaskNumbers();

  constructor(seed: number) {
    this.random = new Random(seed, POS_STREAM);
  }

  newExecution(): boolean {
    this.priorities.clear();
    return true;
  }

  nextTask(runnable: readonly Task[]): number {
    let best = 0;
    let highest = -1;
    for (let i = 0; i < runnable.length; i++) {
      const priority = this.priorityOf(runnable[i].id);
      if (priority <= highest) continue;
      highest = priority;
      best = i;
    }
    const chosen = runnable[best];
    for (const task of runnable) {
      if (task === chosen || task.lastStep === chosen.lastStep) this.priorities.set(task.id, Number.NaN);
    }
    return best;
  }

  /** Its step is over, and with it the priority that it had. */
  onlyTask({ id }: Task): void {
    this.priorities.set(id, Number.NaN);
  }

  nextU32(): number {
    return this.random.u32();
  }

  private priorityOf(id: number): number {
    const priority = this.priorities.get(id);
    if (!Number.isNaN(priority)) return priority;
    const made = this.random.unit();
    this.priorities.set(id, made);
    return made;
  }
}
