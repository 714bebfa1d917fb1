/** Every task that can go on is equally likely at every choice. */

import { Random } from '../../sim/random.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';

/** One stream of random numbers over all executions of a block. */
export class UniformRandom implements Strategy {
  readonly name = 'random';
  private readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  newExecution(): boolean {
    return true;
  }

  nextTask(runnable: readonly Task[]): number {
    return this.random.below(runnable.length);
  }

  nextU32(): number {
    return this.random.u32();
  }
}
