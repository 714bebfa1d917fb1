/** All schedules with at most so many preemptions, one after the other: the last choice is changed first. */

import { assert } from '../../base/assert.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { continueOrOldest } from './replay.js';

/** Beyond these a run goes on without a preemption. */
const CHOICES_MAX = 4096;

const COORDINATOR = 0;

/** Who makes a step. */
type Runner = Pick<Task, 'id' | 'actor' | 'daemon' | 'pumpsFrom'>;

/** One choice of the run: which tasks can still be tried here. */
interface Choice {
  readonly chosen: Runner;
  /** Not tried yet. */
  readonly others: Runner[];
  /** Preemptions before this choice. */
  readonly preemptions: number;
  /** Whose next step has been tried where it comes earlier; to make it here, or after steps that have nothing to do with it, leads to the same. */
  readonly asleep: readonly Runner[];
  /** Its step ended with a wait. */
  waits: boolean;
}

/**
 * M. Musuvathi, S. Qadeer: "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007. Reduced by the sleep sets of
 * P. Godefroid: "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032, 1996: of steps that commute one order is enough. A step
 * is put to sleep only if it ends with a wait, so that the order that is left has no more preemptions than those that are not, and the bound holds for all.
 */
export class DepthFirst implements Strategy {
  readonly name = 'dfs';
  private readonly path: Choice[] = [];
  private at = 0;
  private preemptions = 0;
  private isFirst = true;
  private asleep: readonly Runner[] = [];
  /** All who could go on sleep: what comes has been seen, and is not varied. */
  private isSeen = false;
  /** The last choice, until it is known how its step ended. */
  private last: Choice | null = null;
  private lastTask: Task | null = null;
  /** Of some run a part was not varied. */
  private isCut = false;
  /** Every schedule within the bound has been run, or one that leads to the same. */
  isComplete = false;

  constructor(
    private readonly preemptionsMax: number,
    private readonly isReduced = true,
  ) {}

  newExecution(): boolean {
    if (!this.isFirst && !this.backtrack()) {
      this.isComplete = !this.isCut;
      return false;
    }
    this.isFirst = false;
    this.at = 0;
    this.preemptions = 0;
    this.asleep = [];
    this.isSeen = false;
    this.last = null;
    return true;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    this.noteEnd();
    const index = this.at < this.path.length ? this.repeat(runnable) : this.explore(runnable, current);
    const choice = this.path[this.at++];
    const task = runnable[index];
    if (isPreempted(current) && task !== current) this.preemptions++;
    this.asleep = choice.asleep.filter((sleeper) => commute(sleeper, task));
    this.last = choice;
    this.lastTask = task;
    return index;
  }

  onlyTask(task: Task): void {
    this.noteEnd();
    this.isSeen ||= this.asleep.some(({ id }) => id === task.id);
    this.asleep = this.asleep.filter((sleeper) => commute(sleeper, task));
  }

  /** How the last step that it chose ended will not be seen: it is never put to sleep. */
  overruled(): void {
    this.isCut = true;
    this.last = null;
  }

  nextU32(): number {
    return 0;
  }

  private noteEnd(): void {
    if (this.last !== null) this.last.waits = this.lastTask?.runnableIndex === -1;
    this.last = null;
  }

  private repeat(runnable: readonly Task[]): number {
    const { chosen } = this.path[this.at];
    const index = runnable.findIndex(({ id }) => id === chosen.id);
    assert(index >= 0, 'a run that was repeated went another way');
    return index;
  }

  private explore(runnable: readonly Task[], current: Task | null): number {
    const { asleep } = this;
    const awake = runnable.filter(({ id }) => asleep.every((sleeper) => sleeper.id !== id));
    this.isSeen ||= awake.length === 0;
    // Who has just run does not sleep.
    const usual = continueOrOldest(runnable, current);
    const task = this.isSeen || isPreempted(current) ? runnable[usual] : awake[continueOrOldest(awake, null)];
    const isWithinBound = this.preemptions < this.preemptionsMax;
    const mayPreempt = isWithinBound && this.at < CHOICES_MAX;
    this.isCut ||= isWithinBound && !mayPreempt;
    const isVaried = !this.isSeen && (!isPreempted(current) || mayPreempt);
    const others = isVaried ? awake.filter((other) => other !== task).map(runnerOf) : [];
    this.path.push({
      chosen: runnerOf(task),
      others,
      preemptions: this.preemptions,
      asleep,
      waits: false,
    });
    return runnable.indexOf(task);
  }

  /** Turns the last choice that has something left to try; false when there is none. */
  private backtrack(): boolean {
    for (let last = this.path.pop(); last !== undefined; last = this.path.pop()) {
      const next = last.others.pop();
      if (next === undefined) continue;
      const { chosen, waits, asleep } = last;
      const sleeps = this.isReduced && waits && peerOf(chosen) !== null;
      this.path.push({
        ...last,
        chosen: next,
        asleep: sleeps ? [...asleep, chosen] : asleep,
        waits: false,
      });
      return true;
    }
    return false;
  }
}

function runnerOf({ id, actor, daemon, pumpsFrom }: Task): Runner {
  return { id, actor, daemon, pumpsFrom };
}

function isPreempted(current: Task | null): boolean {
  return current !== null && current.runnableIndex >= 0;
}

/**
 * The actor that it has to do with besides its own: a pump takes messages of that one, which are answered at once, wake who waits for them, or start a
 * task; the servant of a GPU sends the faults of that to the Coordinator. Null for all others, who may have to do with anything.
 */
function peerOf({ daemon, actor, pumpsFrom }: Runner): number | null {
  if (!daemon) return null;
  return pumpsFrom ?? (actor === COORDINATOR ? null : COORDINATOR);
}

/**
 * What two of them do next leads to the same in either order: it touches their own actors and the rings between these and their peers, but no memory.
 * What the Coordinator answers at once is about one CPU thread alone, so what two of its pumps take has nothing to do with one another either.
 */
function commute(a: Runner, b: Runner): boolean {
  const [peerOfA, peerOfB] = [peerOf(a), peerOf(b)];
  if (peerOfA === null || peerOfB === null) return false;
  if (a.actor === b.actor) return a.actor === COORDINATOR && peerOfA !== peerOfB;
  return peerOfA !== b.actor || peerOfB !== a.actor;
}
