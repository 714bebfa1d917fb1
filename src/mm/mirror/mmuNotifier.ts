/** Interval notifiers: how a mirror of an address space learns that a translation is about to go, and when it may look again. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { type IntervalNode, IntervalTree } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import { LockMap } from '../../sim/lockMap.js';
import type { Scheduler } from '../../sim/scheduler.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { WaitQueue } from '../../sim/waitQueue.js';
import { NO_OWNER, type PagemapOwner } from '../migrate/devPagemap.js';
import type { Mm } from '../process/mm.js';
import { reclaimMap } from '../reclaimMap.js';

export const NotifierStep = {
  invStart: defineStep('notifier.invStart', 'vpn', 'npages', 'event', 'id'),
  callback: defineStep('notifier.callback', 'vpn', 'npages', 'event', 'id'),
  /** All callbacks have returned. */
  invStarted: defineStep('notifier.invStarted', 'vpn', 'npages', 'event', 'ns'),
  invEnd: defineStep('notifier.invEnd', 'vpn', 'npages', 'event', 'id'),
  readBegin: defineStep('notifier.readBegin', 'vpn', 'npages', 'id'),
} as const;

/** @kernel mmu_notifier_event */
export const NotifyEvent = {
  Unmap: 0,
  Clear: 1,
  ProtectionVma: 2,
  ProtectionPage: 3,
  SoftDirty: 4,
  Release: 5,
  Migrate: 6,
  Exclusive: 7,
} as const;
export type NotifyEvent = (typeof NotifyEvent)[keyof typeof NotifyEvent];

const eventNames = [
  'UNMAP',
  'CLEAR',
  'PROTECTION_VMA',
  'PROTECTION_PAGE',
  'SOFT_DIRTY',
  'RELEASE',
  'MIGRATE',
  'EXCLUSIVE',
];

export function notifyEventName(event: number): string {
  return eventNames[event] ?? `event ${event}`;
}

/** One invalidation, from start to end. @kernel mmu_notifier_range */
export interface NotifierRange {
  readonly event: NotifyEvent;
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  /** Set for MIGRATE and EXCLUSIVE: whose migration it is. */
  readonly owner: PagemapOwner;
  /** Whether callbacks may sleep. @kernel MMU_NOTIFIER_RANGE_BLOCKABLE */
  readonly blockable: boolean;
}

export function notifierRange(
  event: NotifyEvent,
  start: Vpn,
  end: Vpn,
  owner: PagemapOwner = NO_OWNER,
): NotifierRange {
  return { event, start, end, owner, blockable: true };
}

/** Callbacks are inside of it, and who reads or removes an interval may have to wait for them. @kernel __mmu_notifier_invalidate_range_start_map */
export const invalidateMap = new LockMap('invalidation');

/** @kernel mmu_interval_notifier_ops */
export interface IntervalNotifierOps {
  /**
   * Called between invalidate start and end with the old pages still mapped. It must call `setSeq(curSeq)` under the user lock before it
   * returns. It may sleep only if the range is blockable; false (non-blockable only) means that it would have had to.
   * @kernel invalidate
   */
  invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean>;
}

/** @kernel mmu_interval_notifier */
export class IntervalNotifier {
  /** Written under the user lock by {@link setSeq}, compared by {@link readRetry}. */
  invalidateSeq = 0;
  node: IntervalNode<IntervalNotifier> | null = null;
  /** On the deferred list: to be inserted or removed when the running invalidation ends. */
  deferred: 'insert' | 'remove' | null = null;

  constructor(
    readonly start: Vpn,
    readonly end: Vpn,
    readonly ops: IntervalNotifierOps,
  ) {}

  /** The callback does this under the user lock, also for events that it ignores. @kernel mmu_interval_set_seq */
  setSeq(seq: number): void {
    this.invalidateSeq = seq;
  }

  /** Under the user lock: whether what was read since {@link NotifierSubscriptions.readBegin} is stale. @kernel mmu_interval_read_retry */
  readRetry(seq: number): boolean {
    return this.invalidateSeq !== seq;
  }

  /** Without the lock: a hint that it is pointless to go on. @kernel mmu_interval_check_retry */
  checkRetry(seq: number): boolean {
    return this.invalidateSeq !== seq;
  }
}

/**
 * Per-mm state. Legal combinations of (active, parity of seq) are (0, even), (n, even), (n, odd): odd means that the tree may be read by a
 * running invalidation and must not change. @kernel mmu_notifier_subscriptions
 */
export class NotifierSubscriptions {
  invalidateSeq = 2;
  activeInvalidations = 0;
  private readonly tree = new IntervalTree<IntervalNotifier>();
  private deferredList: IntervalNotifier[] = [];
  private readonly seqChanged: WaitQueue;
  /** The first registration is made under mmap_lock for write. */
  private registered = false;

  constructor(
    private readonly sched: Scheduler,
    private readonly mm: Mm,
  ) {
    this.seqChanged = new WaitQueue(sched, `the end of invalidations in mm ${mm.id}`);
  }

  get intervals(): number {
    return this.tree.size;
  }

  /** Those whose callbacks an invalidation of these pages runs. */
  forEachOverlap(start: number, end: number, visit: (sub: IntervalNotifier) => void): void {
    let node = this.tree.firstOverlap(start, end);
    for (; node !== null; node = this.tree.nextOverlap(node, start, end)) visit(node.value);
  }

  /**
   * Adds an interval; callbacks may come from this call on. Takes an mm_count reference. Not with mmap_lock held. Errors: -EOVERFLOW for an
   * empty range, -EINVAL when the address space is gone.
   * @kernel mmu_interval_notifier_insert
   */
  *insert(sub: IntervalNotifier): Steps<Errno> {
    if (sub.end <= sub.start) return Errno.EOVERFLOW;
    this.sched.lockOrder.acquire(reclaimMap.lockClass, invalidateMap.lockClass);
    if (!this.registered) {
      yield* this.mm.mmapLock.write();
      this.registered = true;
      this.mm.mmapLock.writeUnlock();
    }
    // After the wait, in which the last user may have gone.
    if (this.mm.users <= 0) return Errno.EINVAL;
    this.mm.grab();
    this.insertLocked(sub);
    return Errno.OK;
  }

  /** With running invalidations the newcomer's readers wait for their end, since it saw none of their callbacks. */
  private insertLocked(sub: IntervalNotifier): void {
    if (this.activeInvalidations === 0) {
      // Differs from the current even value, so that a first read does not wait.
      sub.invalidateSeq = this.invalidateSeq - 1;
      this.link(sub);
      return;
    }
    if (this.treeIsBusy) {
      sub.deferred = 'insert';
      this.deferredList.push(sub);
    } else {
      this.invalidateSeq |= 1;
      this.link(sub);
    }
    sub.invalidateSeq = this.invalidateSeq;
  }

  /**
   * After it returns no callback of `sub` runs or will. Never from a callback, nor with a lock that a callback takes. Drops mm_count.
   * @kernel mmu_interval_notifier_remove
   */
  *remove(sub: IntervalNotifier): Steps<void> {
    this.sched.order(invalidateMap.lockClass);
    if (!this.treeIsBusy) {
      this.unlink(sub);
    } else if (sub.deferred === 'insert') {
      this.deferredList.splice(this.deferredList.indexOf(sub), 1);
      sub.deferred = null;
    } else {
      sub.deferred = 'remove';
      this.deferredList.push(sub);
      yield* this.untilSeqChanges(this.invalidateSeq);
      assert(sub.node === null, 'a removed interval notifier is still in the tree');
    }
    this.mm.drop();
  }

  /** The sequence to compare with later; waits while an invalidation of this interval runs. @kernel mmu_interval_read_begin */
  *readBegin(sub: IntervalNotifier): Steps<number> {
    if (this.reachReadBegin(sub)) yield STEP;
    const seq = this.readSeq(sub);
    if (this.isInvalidating(sub)) yield* this.untilSeqChanges(seq);
    return seq;
  }

  /** The step of {@link readBegin}, for hot paths that do without its generator. */
  reachReadBegin(sub: IntervalNotifier): boolean {
    this.sched.order(invalidateMap.lockClass);
    return this.sched.reach(NotifierStep.readBegin, sub.start, sub.end - sub.start, this.mm.id);
  }

  /** What {@link readBegin} returns; while an invalidation of the interval runs, the reader goes on when {@link untilSeqChanges} is over. */
  readSeq(sub: IntervalNotifier): number {
    return sub.invalidateSeq;
  }

  /** Whether an invalidation of this interval runs. */
  isInvalidating(sub: IntervalNotifier): boolean {
    return sub.invalidateSeq === this.invalidateSeq && this.treeIsBusy;
  }

  /** The invalidations that run now have ended, and what they put off is done. */
  *untilSeqChanges(seq: number): Steps<void> {
    while (this.invalidateSeq === seq) yield* this.seqChanged.wait();
  }

  /**
   * Announces that translations in the range will change and runs the callbacks of all intervals that it touches. -EAGAIN only for a
   * non-blockable range; the invalidation has then ended and {@link invalidateEnd} must not be called.
   * @kernel mmu_notifier_invalidate_range_start
   */
  *invalidateStart(range: NotifierRange): Steps<Errno> {
    const startedNs = this.sched.now();
    const npages = range.end - range.start;
    if (this.sched.reach(NotifierStep.invStart, range.start, npages, range.event, this.mm.id)) yield STEP;
    this.sched.order(invalidateMap.lockClass);
    this.activeInvalidations++;
    const first = this.tree.firstOverlap(range.start, range.end);
    if (first === null) return Errno.OK;
    this.invalidateSeq |= 1;
    this.sched.enter(invalidateMap);
    const done = yield* this.callEach(first, range);
    this.sched.leave(invalidateMap);
    if (!done) {
      this.endInvalidation();
      return Errno.EAGAIN;
    }
    this.sched.at(NotifierStep.invStarted, range.start, npages, range.event, this.sched.now() - startedNs);
    return Errno.OK;
  }

  /** False: one of them would have had to wait, and may not. */
  private *callEach(first: IntervalNode<IntervalNotifier>, range: NotifierRange): Steps<boolean> {
    const { start, end, event } = range;
    const seq = this.invalidateSeq;
    for (
      let node: IntervalNode<IntervalNotifier> | null = first;
      node !== null;
      node = this.tree.nextOverlap(node, start, end)
    ) {
      if (this.sched.reach(NotifierStep.callback, start, end - start, event, this.mm.id)) yield STEP;
      const done = yield* node.value.ops.invalidate(node.value, range, seq);
      assert(done || !range.blockable, 'a callback refused a blockable invalidation');
      if (!done) return false;
    }
    return true;
  }

  /** The new state is visible: readers may go on once no invalidation is left. @kernel mmu_notifier_invalidate_range_end */
  *invalidateEnd(range: NotifierRange): Steps<void> {
    if (this.reachEnd(range)) yield STEP;
    this.endInvalidation();
  }

  /** The step of {@link invalidateEnd}, for hot paths that do without its generator and call {@link endInvalidation} next. */
  reachEnd(range: NotifierRange): boolean {
    return this.sched.reach(
      NotifierStep.invEnd,
      range.start,
      range.end - range.start,
      range.event,
      this.mm.id,
    );
  }

  private get treeIsBusy(): boolean {
    return (this.invalidateSeq & 1) !== 0;
  }

  /** Overlapping invalidations share one odd period, which the last one ends. @kernel mn_itree_inv_end */
  endInvalidation(): void {
    assert(this.activeInvalidations > 0, 'invalidation ends without a start');
    this.activeInvalidations--;
    if (this.activeInvalidations > 0 || !this.treeIsBusy) return;
    this.invalidateSeq++;
    this.applyDeferred();
    this.seqChanged.wakeAll();
  }

  private applyDeferred(): void {
    const list = this.deferredList;
    this.deferredList = [];
    for (const sub of list) {
      if (sub.deferred === 'insert') this.link(sub);
      else this.unlink(sub);
      sub.deferred = null;
    }
  }

  private link(sub: IntervalNotifier): void {
    assert(sub.node === null, 'interval notifier is inserted twice');
    sub.node = this.tree.insert(sub.start, sub.end, sub);
  }

  private unlink(sub: IntervalNotifier): void {
    assert(sub.node !== null, 'interval notifier is not in the tree');
    this.tree.remove(sub.node);
    sub.node = null;
  }
}
