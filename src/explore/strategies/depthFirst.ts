/** All schedules with at most so many preemptions, one after the other: the last choice is changed first. */

import { assert } from '../../base/assert.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { continueOrOldest } from './replay.js';

/** Beyond these a run goes on without a preemption. */
const CHOICES_MAX = 4096;

/** One choice of the run: which tasks can still be tried here. */
interface Choice {
  readonly chosen: number;
  /** Numbers of tasks not tried yet. */
  readonly others: number[];
  /** Preemptions before this choice. */
  readonly preemptions: number;
}

/**
 * M. Musuvathi, S. Qadeer: "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007. Reduced: a task is
 * not preempted where what it does next is done by nobody else, which two tasks at messages of different actors are taken to.
 */
export class DepthFirst implements Strategy {
  readonly name = 'dfs';
  private readonly path: Choice[] = [];
  private at = 0;
  private preemptions = 0;
  private isFirst = true;
  /** Every schedule within the bound has been run. */
  isComplete = false;

  constructor(private readonly preemptionsMax: number) {}

  newExecution(): boolean {
    if (!this.isFirst && !this.backtrack()) {
      this.isComplete = true;
      return false;
    }
    this.isFirst = false;
    this.at = 0;
    this.preemptions = 0;
    return true;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    const index = this.at < this.path.length ? this.repeat(runnable) : this.explore(runnable, current);
    this.at++;
    if (isPreempted(current) && runnable[index] !== current) this.preemptions++;
    return index;
  }

  nextU32(): number {
    return 0;
  }

  private repeat(runnable: readonly Task[]): number {
    const { chosen } = this.path[this.at];
    const index = runnable.findIndex(({ id }) => id === chosen);
    assert(index >= 0, 'a run that was repeated went another way');
    return index;
  }

  private explore(runnable: readonly Task[], current: Task | null): number {
    const index = continueOrOldest(runnable, current);
    const mayPreempt = this.preemptions < this.preemptionsMax && this.at < CHOICES_MAX;
    const others =
      !isPreempted(current) || mayPreempt
        ? runnable.filter((task, i) => i !== index && !commute(task, runnable[index])).map(({ id }) => id)
        : [];
    this.path.push({ chosen: runnable[index].id, others, preemptions: this.preemptions });
    return index;
  }

  /** Turns the last choice that has something left to try; false when there is none. */
  private backtrack(): boolean {
    for (let last = this.path.pop(); last !== undefined; last = this.path.pop()) {
      const next = last.others.pop();
      if (next === undefined) continue;
      this.path.push({ chosen: next, others: last.others, preemptions: last.preemptions });
      return true;
    }
    return false;
  }
}

function isPreempted(current: Task | null): boolean {
  return current !== null && current.runnableIndex >= 0;
}

/** Two servants that have not begun: whoever goes first, the other finds the same. */
function commute(a: Task, b: Task): boolean {
  return a.daemon && b.daemon && a.actor !== b.actor && a.lastStep === b.lastStep;
}
