/** Probabilistic concurrency testing: random priorities, and a few random moments at which the highest one loses its own. */

import { Random } from '../../sim/random.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { TaskNumbers } from './taskNumbers.js';

const PCT_STREAM = 1;

/**
 * S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
 * A bug of depth d among n tasks and k choices is found by one run with a probability of at least 1 / (n * k^(d-1)). How many choices a run has is
 * taken from the longest one so far, so the first run of a block changes priorities only before its first choice, and one that becomes longer than
 * those before it only in its beginning: {@link range} says for which choices that probability holds.
 */
export class Pct implements Strategy {
  readonly name: string;
  private readonly random: Random;
  private readonly priorities = new TaskNumbers();
  /** In order: choices at which a priority changes. */
  private changes: number[] = [];
  private nextChange = 0;
  private choices = 0;
  private longest = 0;
  private hasRun = false;
  private range_ = 0;

  constructor(
    seed: number,
    /** Depth d: one more than the number of changes. */
    private readonly depth: number,
  ) {
    this.name = `pct${depth}`;
    this.random = new Random(seed, PCT_STREAM);
  }

  /** So many first choices of the present run are equally likely to have a change; 0 where nothing was known of its length. */
  get range(): number {
    return this.range_;
  }

  newExecution(): boolean {
    this.longest = Math.max(this.longest, this.choices);
    this.range_ = this.hasRun ? this.longest + 1 : 0;
    this.hasRun = true;
    this.choices = 0;
    this.nextChange = 0;
    this.priorities.clear();
    this.changes = Array.from({ length: this.depth - 1 }, () => this.random.below(this.longest + 1));
    this.changes.sort((a, b) => a - b);
    return true;
  }

  nextTask(runnable: readonly Task[]): number {
    let best = this.highest(runnable);
    while (this.nextChange < this.changes.length && this.changes[this.nextChange] <= this.choices) {
      // Below all first priorities; a later change lower than an earlier one.
      this.priorities.set(runnable[best].id, -1 - this.nextChange);
      this.nextChange++;
      best = this.highest(runnable);
    }
    this.choices++;
    return best;
  }

  nextU32(): number {
    return this.random.u32();
  }

  private highest(runnable: readonly Task[]): number {
    let best = 0;
    let highest = this.priorityOf(runnable[0]);
    for (let i = 1; i < runnable.length; i++) {
      const priority = this.priorityOf(runnable[i]);
      if (priority <= highest) continue;
      highest = priority;
      best = i;
    }
    return best;
  }

  /** A new task gets one as random as those of the others. */
  private priorityOf({ id }: Task): number {
    const priority = this.priorities.get(id);
    if (!Number.isNaN(priority)) return priority;
    const made = this.random.unit();
    this.priorities.set(id, made);
    return made;
  }
}

/** The chance that one run shows a bug of this depth, at least; `choices` are those that were equally likely to have a change. */
export function pctBound(depth: number, tasks: number, choices: number): number {
  return 1 / (Math.max(1, tasks) * Math.max(1, choices) ** (depth - 1));
}
