/** Uniform random walk: a task is chosen in proportion to the steps that it still has before it, so that all interleavings are about equally likely. */

import { Random } from '../../sim/random.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { TaskNumbers } from './taskNumbers.js';

const URW_STREAM = 3;
/** Of a task of which nothing is known yet. */
const FIRST_GUESS = 10;
/** How much the last run counts for the guess for the next. */
const LEARNING = 0.25;

/**
 * H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: "Selectively Uniform Concurrency Testing", ASPLOS 2025, without the selection. A plain random walk
 * nearly always lets short tasks end before long ones have begun. How long tasks are is learned from run to run, by their names.
 */
export class UniformRandomWalk implements Strategy {
  readonly name = 'urw';
  private readonly random: Random;
  /** Choices that went to a task of a name, on average. */
  private readonly expected = new Map<string, number>();
  private readonly taken = new TaskNumbers();
  private readonly seen: Task[] = [];

  constructor(seed: number) {
    this.random = new Random(seed, URW_STREAM);
  }

  newExecution(): boolean {
    for (const task of this.seen) this.learn(task.name, this.taken.get(task.id));
    this.seen.length = 0;
    this.taken.clear();
    return true;
  }

  nextTask(runnable: readonly Task[]): number {
    let total = 0;
    for (const task of runnable) total += this.remaining(task);
    let left = this.random.unit() * total;
    let chosen = runnable.length - 1;
    for (let i = 0; i < runnable.length; i++) {
      left -= this.remaining(runnable[i]);
      if (left >= 0) continue;
      chosen = i;
      break;
    }
    this.count(runnable[chosen]);
    return chosen;
  }

  onlyTask(task: Task): void {
    this.takenBy(task);
    this.count(task);
  }

  nextU32(): number {
    return this.random.u32();
  }

  private remaining(task: Task): number {
    const taken = this.takenBy(task);
    return Math.max(1, (this.expected.get(task.name) ?? FIRST_GUESS) - taken);
  }

  private takenBy(task: Task): number {
    const taken = this.taken.get(task.id);
    if (!Number.isNaN(taken)) return taken;
    this.taken.set(task.id, 0);
    this.seen.push(task);
    return 0;
  }

  private count({ id }: Task): void {
    this.taken.set(id, this.taken.get(id) + 1);
  }

  private learn(name: string, taken: number): void {
    const before = this.expected.get(name);
    this.expected.set(name, before === undefined ? taken : before + LEARNING * (taken - before));
  }
}
