/** A list of tasks that sleep until somebody says that the world changed. */

import type { Scheduler } from './scheduler.js';
import { PARK, type Steps } from './steps.js';
import type { Task, Waitable } from './task.js';

/** Waiters re-check their condition in a loop, as with the kernel's wait_event. @kernel wait_queue_head */
export class WaitQueue implements Waitable {
  private waiters: Task[] = [];

  constructor(
    private readonly sched: Scheduler,
    /** In words: what the waiters wait for. */
    readonly name: string,
    private readonly blockers: () => readonly Task[] = () => [],
  ) {}

  *wait(): Steps<void> {
    this.waiters.push(this.sched.self);
    this.sched.block(this);
    yield PARK;
  }

  /** Wakes in order of arrival. @kernel wake_up_all */
  wakeAll(): void {
    const woken = this.waiters;
    this.waiters = [];
    for (const task of woken) this.sched.wake(task);
  }

  /** @kernel wake_up */
  wakeOne(): void {
    const task = this.waiters.shift();
    if (task !== undefined) this.sched.wake(task);
  }

  get isEmpty(): boolean {
    return this.waiters.length === 0;
  }

  describeWait(): string {
    return this.name;
  }

  holders(): readonly Task[] {
    return this.blockers();
  }
}
