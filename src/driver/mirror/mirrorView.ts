/** A device's view of one address space as the test device has it: a table of pages, kept true by one interval notifier. */

import { assert } from '../../base/assert.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import type { Zone } from '../../memory/zone.js';
import type { Kernel } from '../../mm/kernel.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
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
import { MirrorStep } from './mirrorStep.js';
import { MirrorTable } from './mirrorTable.js';

const mutexClass = new LockClass('mirror mutex');

/** The device that looks: a test device, or a GPU that is asked what a test device can be asked. */
export interface ViewingDevice {
  readonly kernel: Kernel;
  readonly name: string;
  readonly index: number;
  /** Its own memory. */
  readonly zone: Zone;
  /** Whose device-private pages it may use as they are. */
  readonly owner: PagemapOwner;
}

export class MirrorView<D extends ViewingDevice = ViewingDevice> implements IntervalNotifierOps {
  /** Guarded by the mutex. */
  readonly table = new MirrorTable();
  /** The user lock of the notifier, taken inside mmap_lock. */
  readonly mutex: Mutex;
  readonly notifier: IntervalNotifier;

  constructor(
    readonly id: number,
    readonly device: D,
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
    const { kernel, owner, index } = this.device;
    if (range.event === NotifyEvent.Migrate && range.owner === owner) return true;
    if (range.blockable) yield* this.mutex.lock();
    else if (!this.mutex.tryLock()) return false;
    sub.setSeq(curSeq);
    this.table.eraseSpan(range.start, range.end);
    this.entriesGone(range);
    kernel.sched.at(MirrorStep.invalidated, range.start, range.end - range.start, range.event, index);
    this.mutex.unlock();
    return true;
  }

  /** Those of the range have just gone; the mutex is held. */
  protected entriesGone(_range: NotifierRange): void {}
}
