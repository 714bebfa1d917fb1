/** A schedule as what sets it apart from one without preemptions: the moments at which another task goes on than the one that would. */

import type { Strategy } from '../../sim/strategy.js';
import type { Task } from '../../sim/task.js';
import { RANDOM_CHOICE } from '../schedule.js';
import { continueOrOldest } from '../strategies/replay.js';

/** Tied to what a task has done, not to when: so that it keeps its meaning when others are left out. */
export interface Switch {
  /** The task that ran before; 0 where there was none. */
  readonly from: number;
  /** Choices that it had been part of by then. */
  readonly after: number;
  /** The task that goes on instead. */
  readonly to: number;
}

export interface SwitchList {
  readonly switches: readonly Switch[];
  /** Random numbers that the protocol asks for, in order; 0 when there are no more. */
  readonly randoms: readonly number[];
}

/** Counts, for each task, the choices at which it was the one that had run. */
class Turns {
  private readonly counts = new Map<number, number>();

  next(current: Task | null): number {
    const id = current?.id ?? 0;
    const count = (this.counts.get(id) ?? 0) + 1;
    this.counts.set(id, count);
    return count;
  }
}

/** Repeats recorded choices and notes where they are no default. */
export class SwitchFinder implements Strategy {
  readonly name = 'switches';
  readonly switches: Switch[] = [];
  readonly randoms: number[] = [];
  private readonly turns = new Turns();
  private at = 0;
  private started = false;

  constructor(private readonly choices: Uint32Array) {}

  newExecution(): boolean {
    const isFirst = !this.started;
    this.started = true;
    return isFirst;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    const after = this.turns.next(current);
    const usual = continueOrOldest(runnable, current);
    const id = this.at < this.choices.length ? this.choices[this.at++] : 0;
    const chosen = runnable.findIndex((task) => task.id === id);
    if (chosen < 0 || chosen === usual) return usual;
    this.switches.push({ from: current?.id ?? 0, after, to: id });
    return chosen;
  }

  nextU32(): number {
    const isRecorded = this.choices[this.at] === RANDOM_CHOICE && this.at + 1 < this.choices.length;
    const value = isRecorded ? this.choices[this.at + 1] : 0;
    if (isRecorded) this.at += 2;
    this.randoms.push(value);
    return value;
  }
}

/** Makes only the switches that it is given, each when its moment has come; one whose task cannot go on then is left out. */
export class SwitchStrategy implements Strategy {
  readonly name = 'switches';
  private readonly turns = new Turns();
  private next = 0;
  private nextRandom = 0;
  private started = false;

  constructor(private readonly list: SwitchList) {}

  newExecution(): boolean {
    const isFirst = !this.started;
    this.started = true;
    return isFirst;
  }

  nextTask(runnable: readonly Task[], current: Task | null): number {
    const turn = this.turns.next(current);
    const { switches } = this.list;
    for (let at = this.next; at < switches.length; at++) {
      const { from, after, to } = switches[at];
      if (from !== (current?.id ?? 0) || after !== turn) continue;
      this.next = at + 1;
      const index = runnable.findIndex((task) => task.id === to);
      if (index >= 0) return index;
      break;
    }
    return continueOrOldest(runnable, current);
  }

  nextU32(): number {
    return this.list.randoms[this.nextRandom++] ?? 0;
  }
}
