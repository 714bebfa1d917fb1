/** A list of tasks that sleep until somebody says that the world changed. */

import type { Scheduler } from './scheduler.js';
import { PARK, type Steps } from './steps.js';
import type { Task, Waitable } from './task.js';

const NOBODY: readonly Task[] = [];
const nobody = (): readonly Task[] => NOBODY;

/** Waiters re-check their condition in a loop, as with the kernel's wait_event. @kernel wait_queue_head */
export class WaitQueue implements Waitable {
  /** Most queues have one waiter at a time, who needs no list. */
  private first: Task | null = null;
  /** After the first; empty without one. */
  private others: Task[] = [];

  constructor(
    private readonly sched: Scheduler,
    /** In words: what the waiters wait for. */
    readonly name: string,
    private readonly blockers: () => readonly Task[] = nobody,
  ) {}

  *wait(): Steps<void> {
    this.beginWait();
    yield PARK;
  }

  /** The first half of {@link wait}, for callers that yield PARK themselves to save a nested generator. */
  beginWait(): void {
    if (this.first === null) this.first = this.sched.self;
    else this.others.push(this.sched.self);
    this.sched.block(this);
  }

  /** Wakes in order of arrival. @kernel wake_up_all */
  wakeAll(): void {
    const { first, others } = this;
    if (first === null) return;
    this.first = null;
    this.sched.wake(first);
    if (others.length === 0) return;
    this.others = [];
    for (const task of others) this.sched.wake(task);
  }

  /** @kernel wake_up */
  wakeOne(): void {
    const task = this.first;
    if (task === null) return;
    this.first = this.others.shift() ?? null;
    this.sched.wake(task);
  }

  get isEmpty(): boolean {
    return this.first === null;
  }

  describeWait(): string {
    return this.name;
  }

  holders(): readonly Task[] {
    return this.blockers();
  }
}
