/** A one-shot event that tasks wait for. */

import type { Scheduler } from './scheduler.js';
import type { Steps } from './steps.js';
import type { Task } from './task.js';
import { WaitQueue } from './waitQueue.js';

/** @kernel completion */
export class Completion {
  private done = false;
  private readonly waiters: WaitQueue;

  /** `blockers`: tasks that are in the way of the event, where they are known. */
  constructor(sched: Scheduler, name: string, blockers?: () => readonly Task[]) {
    this.waiters = new WaitQueue(sched, name, blockers);
  }

  get isDone(): boolean {
    return this.done;
  }

  /** Ends all present and future waits; a second call changes nothing. @kernel complete_all */
  completeAll(): void {
    this.done = true;
    this.waiters.wakeAll();
  }

  *wait(): Steps<void> {
    while (!this.done) yield* this.waiters.wait();
  }
}
