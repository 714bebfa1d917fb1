/** The folio lock: a bit in shared metadata, with the tasks that sleep for it. */

import { assert } from '../../base/assert.js';
import type { FolioTable } from '../../memory/folios.js';
import { formatPfn, type Pfn } from '../../memory/pfn.js';
import { LockMap } from '../../sim/lockMap.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import { WaitQueue } from '../../sim/waitQueue.js';

/** A task may hold several, as a migration does, which only tries for each. @kernel PG_locked */
const folioLockMap = new LockMap('folio lock', { nests: true });

/** Who wait for one folio's. */
class FolioLockQueue extends WaitQueue {
  readonly isLock = true;
}

/**
 * Owned by tasks, but not listed among the locks that a task must have released when it ends: migration keeps folios locked across many
 * calls. At quiescence none may be locked (M4).
 */
export class FolioLocks {
  private readonly waiters = new Map<Pfn, WaitQueue>();

  constructor(
    private readonly sched: Scheduler,
    private readonly folios: FolioTable,
  ) {}

  /** @kernel folio_trylock */
  trylock(pfn: Pfn): boolean {
    const task = this.sched.self;
    if (!this.folios.trylock(pfn, task.id)) return false;
    if (task.folioLocks++ === 0) task.maps |= folioLockMap.bit;
    return true;
  }

  /** For a page that nobody else can know of yet. */
  lockNew(pfn: Pfn): void {
    assert(this.trylock(pfn), 'a new page is locked already');
  }

  /** The caller holds a reference. @kernel folio_lock */
  *lock(pfn: Pfn): Steps<void> {
    this.sched.order(folioLockMap.lockClass);
    while (!this.trylock(pfn)) yield* this.waitersOf(pfn).wait();
  }

  /** @kernel folio_unlock */
  unlock(pfn: Pfn): void {
    const task = this.sched.self;
    this.folios.unlock(pfn, task.id);
    if (--task.folioLocks === 0) task.maps &= ~folioLockMap.bit;
    if (this.waiters.size === 0) return;
    const head = this.folios.headOf(pfn);
    const waiters = this.waiters.get(head);
    if (waiters === undefined) return;
    this.waiters.delete(head);
    waiters.wakeAll();
  }

  /** Divides a folio that the task has locked; it has a lock of each page then, and releases them one by one. */
  splitToPages(head: Pfn): void {
    const npages = this.folios.npages(head);
    this.folios.splitToPages(head);
    this.sched.self.folioLocks += npages - 1;
  }

  /** Sleeps until the lock was released once; the caller looks again. @kernel migration_entry_wait, softleaf_entry_wait_on_locked */
  *waitUnlocked(pfn: Pfn): Steps<void> {
    this.sched.order(folioLockMap.lockClass);
    if (this.folios.isLocked(pfn)) yield* this.waitersOf(pfn).wait();
  }

  private waitersOf(page: Pfn): WaitQueue {
    const pfn = this.folios.headOf(page);
    let queue = this.waiters.get(pfn);
    if (queue === undefined) {
      queue = new FolioLockQueue(this.sched, `the lock of folio ${formatPfn(pfn)}`, () => this.holderOf(pfn));
      this.waiters.set(pfn, queue);
    }
    return queue;
  }

  /** For reports only, hence the scan. */
  private holderOf(pfn: Pfn): readonly Task[] {
    const owner = this.folios.lockOwner(pfn);
    return [...this.sched.tasks].filter((task) => task.id === owner);
  }
}
