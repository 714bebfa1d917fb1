/** What opening a mirror device gives a process: the device's view of the whole address space, kept true by one interval notifier. */

import { assert } from '../../base/assert.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
  NotifyEvent,
} from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import type { Steps } from '../../sim/steps.js';
import type { MigrationWatch } from './migrationWatch.js';
import type { MirrorDevice } from './mirrorDevice.js';
import { MirrorStep } from './mirrorStep.js';
import { MirrorTable } from './mirrorTable.js';

const mutexClass = new LockClass('mirror mutex');

/** What a process may ask of the device beyond its commands, as bits. */
export const MirrorFlag = {
  /** The next allocation, of device or of system memory, fails; once. @kernel HMM_DMIRROR_FLAG_FAIL_ALLOC */
  FailAlloc: 1,
} as const;

/** @kernel dmirror */
export class MirrorContext implements IntervalNotifierOps {
  /** Of `MirrorFlag`. */
  private flags = 0;
  /** How many allocations still fail while the flag asks for it. */
  private failuresLeft = 0;
  /** Pages of the device that it brought there and that are still in use; those of a large folio one by one. */
  pagesInUse = 0;
  /** Guarded by the mutex. */
  readonly table = new MirrorTable();
  /** Migrations under way to the device. Guarded by the mutex where they are marked. */
  readonly migrations = new Set<MigrationWatch>();
  /** The user lock of the notifier, taken inside mmap_lock. */
  readonly mutex: Mutex;
  readonly notifier: IntervalNotifier;

  constructor(
    /** Pages of the device carry it, to find the context that brought them there. */
    readonly id: number,
    readonly device: MirrorDevice,
    readonly mm: Mm,
  ) {
    this.mutex = new Mutex(device.kernel.sched, `mirror mutex ${id} of ${device.name}`, mutexClass);
    this.notifier = new IntervalNotifier(0 as Vpn, TASK_SIZE_PAGES as Vpn, this);
  }

  /**
   * The device's own migrations are ignored: the command that migrates keeps the table right. As in the kernel the entry after the range goes
   * too, which costs a fault later and nothing else.
   * @kernel dmirror_interval_invalidate
   */
  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    assert(sub === this.notifier, 'a mirror hears of an interval of another');
    const { sched } = this.device.kernel;
    if (range.event === NotifyEvent.Migrate && range.owner === this.device.pagemap.owner) return true;
    if (range.blockable) yield* this.mutex.lock();
    else if (!this.mutex.tryLock()) return false;
    sub.setSeq(curSeq);
    this.table.eraseSpan(range.start, range.end);
    for (const migration of this.migrations) migration.note(range.start, range.end, sched.self);
    sched.at(MirrorStep.invalidated, range.start, range.end - range.start, range.event, this.device.index);
    this.mutex.unlock();
    return true;
  }

  /** What was set before no longer counts. The device of the kernel lets one allocation fail; cases may ask for more. */
  setFlags(flags: number, failures: number): void {
    this.flags = flags;
    this.failuresLeft = failures;
  }

  /** Whether this allocation must fail; after the last one that must, the flag is gone. */
  takeFailure(): boolean {
    if ((this.flags & MirrorFlag.FailAlloc) === 0) return false;
    this.failuresLeft--;
    if (this.failuresLeft <= 0) this.flags &= ~MirrorFlag.FailAlloc;
    return true;
  }
}
