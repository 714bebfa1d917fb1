/** A fair mutex for tasks: a reader-writer lock that is only ever taken for write. */

import type { LockClass } from './lockOrder.js';
import { RwLock } from './rwLock.js';
import type { Scheduler } from './scheduler.js';
import type { Steps } from './steps.js';

/** @kernel mutex */
export class Mutex {
  private readonly inner: RwLock;

  constructor(sched: Scheduler, name: string, lockClass: LockClass) {
    this.inner = new RwLock(sched, name, lockClass);
  }

  lock(): Steps<void> {
    return this.inner.write();
  }

  /** As `RwLock.beginRead`. */
  beginLock(): boolean {
    return this.inner.beginWrite();
  }

  tryLock(): boolean {
    return this.inner.tryWrite();
  }

  unlock(): void {
    this.inner.writeUnlock();
  }

  assertHeld(): void {
    this.inner.assertHeldForWrite();
  }

  /** Whether the task that runs now holds it. @kernel lockdep_is_held */
  get isHeldByCurrent(): boolean {
    return this.inner.heldForWrite();
  }

  get isLocked(): boolean {
    return this.inner.isLocked;
  }
}
