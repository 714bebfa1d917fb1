/** The default strategy: each runnable task is equally likely at each step, from one seed. */

import { Random } from '../random.js';
import type { Strategy } from '../strategy.js';
import type { Task } from '../task.js';

/** Offers one execution per seed: the given one, then its successors, up to `executions`. */
export class RandomStrategy implements Strategy {
  readonly name = 'random';
  private random: Random;
  private executed = 0;

  constructor(
    private readonly seed: number,
    private readonly executions = Number.POSITIVE_INFINITY,
  ) {
    this.random = new Random(seed);
  }

  newExecution(): boolean {
    if (this.executed >= this.executions) return false;
    this.random = new Random(this.seed + this.executed);
    this.executed++;
    return true;
  }

  nextTask(runnable: readonly Task[]): number {
    return runnable.length === 1 ? 0 : this.random.below(runnable.length);
  }

  nextU32(): number {
    return this.random.u32();
  }
}
