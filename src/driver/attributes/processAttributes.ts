/** All that one process has said about its memory, and how much of it outlives an unmapping. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { RangeMap } from '../../base/rangeMap.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
  NotifyEvent,
} from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import { KfdSvm } from './kfdSvm.js';
import { ManagedMemory } from './managedMemory.js';
import { type SvmAttributes, sameAttributes } from './svmAttributes.js';
import { XeMadvise } from './xeMadvise.js';

const FIRST_PAGE = 0 as Vpn;
const PAST_LAST_PAGE = TASK_SIZE_PAGES as Vpn;

/**
 * What is said for all devices together (KFD, managed memory) goes with the memory, as it is unmapped. What is said to one device's mirror (xe)
 * is reset when the range that was unmapped is collected, so memory that no device has used keeps it.
 * @kernel svm_range_list
 */
export class ProcessAttributes implements IntervalNotifierOps {
  readonly shared = new RangeMap<SvmAttributes>(sameAttributes);
  readonly kfd: KfdSvm;
  readonly managed: ManagedMemory;
  /** By device. */
  readonly mirrors: readonly XeMadvise[];
  /** User queues, as `device.name`. @kernel process_queue_manager */
  readonly queues = new Set<string>();
  private interval: IntervalNotifier | null = null;
  private closed = false;

  constructor(
    readonly mm: Mm,
    devices: number,
  ) {
    this.kfd = new KfdSvm(this.shared, devices);
    this.managed = new ManagedMemory(this.shared, devices, () => this.kfd.defaults);
    this.mirrors = Array.from({ length: devices }, () => new XeMadvise());
  }

  /** Whether it hears of invalidations, which it does from the first attribute on. */
  get isWatching(): boolean {
    return this.interval !== null;
  }

  /**
   * To be called before shared attributes are set; without mmap_lock. Errors: those of the notifier's insertion; -ENOENT where the process's mirrors
   * were closed meanwhile. @kernel svm_range_add_notifier_locked
   */
  *watch(): Steps<Errno> {
    if (this.interval !== null) return Errno.OK;
    const interval = new IntervalNotifier(FIRST_PAGE, PAST_LAST_PAGE, this);
    const errno = yield* this.mm.notifiers.insert(interval);
    if (errno !== Errno.OK) return errno;
    // Who waits at the same time hears of nothing yet, so that everybody inserts one, and the first stays.
    if (this.interval === null && !this.closed) this.interval = interval;
    else yield* this.mm.notifiers.remove(interval);
    return this.closed ? Errno.ENOENT : Errno.OK;
  }

  /** The process's mirrors are gone. @kernel svm_range_list_fini */
  *close(): Steps<void> {
    const { interval } = this;
    this.interval = null;
    this.closed = true;
    if (interval !== null) yield* this.mm.notifiers.remove(interval);
    this.shared.delete(FIRST_PAGE, PAST_LAST_PAGE);
  }

  /** Never sleeps. @kernel svm_range_unmap_from_cpu */
  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    sub.setSeq(curSeq);
    if (range.event === NotifyEvent.Unmap) this.shared.delete(range.start, range.end);
    return true;
  }

  /** The pages around one, within [start, end), for which the same was said: ranges stay within them. */
  uniform(page: Vpn, start: Vpn, end: Vpn): { start: Vpn; end: Vpn } {
    const { value, ...piece } = this.shared.pieceAt(page, start, end);
    let span = { start: piece.start as Vpn, end: piece.end as Vpn };
    if (value !== undefined) span = withinGranule(span, page, value.granularity);
    for (const mirror of this.mirrors) span = mirror.uniform(page, span.start, span.end);
    assert(span.start <= page && page < span.end, 'a page outside its own span');
    return span;
  }
}

/** Pages that migrate together. @kernel svm_range_restore_pages, svm_migrate_to_ram */
function withinGranule(
  span: { start: Vpn; end: Vpn },
  page: Vpn,
  granularity: number,
): { start: Vpn; end: Vpn } {
  const size = 2 ** granularity;
  const first = Math.floor(page / size) * size;
  return {
    start: Math.max(span.start, first) as Vpn,
    end: Math.min(span.end, first + size) as Vpn,
  };
}
