/** A fair reader-writer lock for tasks, with a name, owners, and the checks of a debug kernel. */

import { AssertionFailure, assert } from '../base/assert.js';
import type { LockClass } from './lockOrder.js';
import type { Scheduler } from './scheduler.js';
import { PARK, type Steps } from './steps.js';
import type { HeldLock, Task, Waitable } from './task.js';

type Mode = HeldLock['mode'];

interface Waiter {
  readonly task: Task;
  readonly mode: Mode;
}

/**
 * Strictly first come, first served: a reader queues behind a waiting writer, and release hands the lock over, so neither side starves.
 * @kernel rw_semaphore
 */
export class RwLock implements Waitable {
  readonly isLock = true;
  private writer: Task | null = null;
  private readonly readers: Task[] = [];
  private readonly queue: Waiter[] = [];
  /** A queue index instead of shift(): waiting lines of hundreds of faults are normal. */
  private queueHead = 0;
  /** What tasks that hold the lock have in their lists: one object for all, since a task holds a lock once. */
  private readonly holds: Readonly<Record<Mode, HeldLock>>;

  constructor(
    private readonly sched: Scheduler,
    readonly name: string,
    readonly lockClass: LockClass,
  ) {
    this.holds = {
      read: { lock: this, mode: 'read', lockClass },
      write: { lock: this, mode: 'write', lockClass },
    };
  }

  *read(): Steps<void> {
    if (!this.begin('read')) yield PARK;
  }

  *write(): Steps<void> {
    if (!this.begin('write')) yield PARK;
  }

  /**
   * {@link read} without a generator, for hot paths: `if (!lock.beginRead()) yield PARK;`. False: the task is in the queue, and has the lock when
   * it goes on.
   */
  beginRead(): boolean {
    return this.begin('read');
  }

  /** The same for {@link write}. */
  beginWrite(): boolean {
    return this.begin('write');
  }

  tryRead(): boolean {
    return this.tryTake('read');
  }

  tryWrite(): boolean {
    return this.tryTake('write');
  }

  readUnlock(): void {
    const task = this.sched.self;
    const index = this.readers.indexOf(task);
    assert(index >= 0, () => `${task.name} releases ${this.name}, which it does not hold for read`);
    this.readers[index] = this.readers[this.readers.length - 1];
    this.readers.pop();
    this.forget(task, 'read');
    this.handOver();
  }

  writeUnlock(): void {
    const task = this.sched.self;
    assert(
      this.writer === task,
      () => `${task.name} releases ${this.name}, which it does not hold for write`,
    );
    this.writer = null;
    this.forget(task, 'write');
    this.handOver();
  }

  /** Turns a write hold into a read hold without letting a writer in between. @kernel downgrade_write */
  downgrade(): void {
    const task = this.sched.self;
    assert(
      this.writer === task,
      () => `${task.name} downgrades ${this.name}, which it does not hold for write`,
    );
    this.writer = null;
    this.forget(task, 'write');
    this.grant(task, 'read');
    this.handOver();
  }

  /** Whether the current task holds the lock in at least this mode. @kernel lockdep_is_held_type */
  heldForRead(): boolean {
    const task = this.sched.self;
    return this.writer === task || this.readers.includes(task);
  }

  heldForWrite(): boolean {
    return this.writer === this.sched.self;
  }

  assertHeld(): void {
    assert(this.heldForRead(), () => `${this.name} must be held`);
  }

  assertHeldForWrite(): void {
    assert(this.heldForWrite(), () => `${this.name} must be held for write`);
  }

  get isLocked(): boolean {
    return this.writer !== null || this.readers.length > 0;
  }

  /** Someone waits for it. @kernel rwsem_is_contended */
  get isContended(): boolean {
    return this.queueHead < this.queue.length;
  }

  describeWait(task: Task): string {
    // Before the head stand those that have had the lock, perhaps in another mode than they wait for now.
    const waiter = this.queue.find((entry, i) => i >= this.queueHead && entry.task === task);
    return `${this.name} for ${waiter?.mode ?? 'read'}`;
  }

  holders(): readonly Task[] {
    return this.writer !== null ? [this.writer] : this.readers;
  }

  /** Takes the lock, or queues and blocks the current task; false means the caller must yield PARK. */
  private begin(mode: Mode): boolean {
    const task = this.sched.self;
    for (const { lock, lockClass } of task.held) {
      if (lock === this) this.refuseSecond(task);
      this.sched.lockOrder.acquire(lockClass, this.lockClass);
    }
    if (task.maps !== 0) this.sched.orderMaps(task.maps, this.lockClass);
    if (this.queueHead === this.queue.length && this.isFree(mode)) {
      this.grant(task, mode);
      return true;
    }
    this.queue.push({ task, mode });
    this.sched.block(this);
    return false;
  }

  /** Apart from its caller, so that taking a lock makes no closure. */
  private refuseSecond(task: Task): never {
    throw new AssertionFailure(`${task.name} takes ${this.name} twice`);
  }

  private tryTake(mode: Mode): boolean {
    if (this.queueHead < this.queue.length || !this.isFree(mode)) return false;
    this.grant(this.sched.self, mode);
    return true;
  }

  private isFree(mode: Mode): boolean {
    return this.writer === null && (mode === 'read' || this.readers.length === 0);
  }

  private grant(task: Task, mode: Mode): void {
    assert(this.isFree(mode), () => `${this.name} granted while it is held`);
    if (mode === 'write') this.writer = task;
    else this.readers.push(task);
    task.held.push(this.holds[mode]);
  }

  private forget(task: Task, mode: Mode): void {
    const { held } = task;
    const index = held.lastIndexOf(this.holds[mode]);
    if (index === held.length - 1 && index >= 0) {
      held.pop();
      return;
    }
    assert(index >= 0, () => `${this.name} is not among the locks of ${task.name}`);
    held.splice(index, 1);
  }

  private handOver(): void {
    if (this.queue.length === 0) return;
    while (this.queueHead < this.queue.length && this.isFree(this.queue[this.queueHead].mode)) {
      const { task, mode } = this.queue[this.queueHead++];
      this.grant(task, mode);
      this.sched.wake(task);
    }
    if (this.queueHead === this.queue.length) {
      this.queue.length = 0;
      this.queueHead = 0;
    } else if (this.queueHead > 1024) {
      this.queue.splice(0, this.queueHead);
      this.queueHead = 0;
    }
  }
}
