/** Removes ranges whose pages were unmapped; the callback that marks them may not do it itself. */

import { assert } from '../base/assert.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import { LockMap } from '../sim/lockMap.js';
import { PARK, type Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import type { DriverRange } from './driverRange.js';
import { DriverStep } from './driverStep.js';
import type { SvmVm } from './svmVm.js';

const workMap = new LockMap('garbage collector');

/**
 * Work is queued by callbacks, which may not remove anything themselves, and done by a worker or, before it, by whoever holds the vm lock for
 * write anyway. @kernel xe_svm_garbage_collector
 */
export class GarbageCollector {
  /** In the order in which they were queued. @kernel xe_vm.svm.garbage_collector.range_list */
  private readonly queue = new Set<DriverRange>();
  private readonly queued: WaitQueue;
  private readonly workDone: WaitQueue;
  private isWorking = false;
  /** Times that something had been said of memory that has gone. */
  private forgotten = 0;
  private isDisabled = false;

  constructor(private readonly vm: SvmVm) {
    const { kernel, config } = vm;
    this.queued = new WaitQueue(kernel.sched, `garbage of ${config.name}`);
    this.workDone = new WaitQueue(kernel.sched, `the garbage collector of ${config.name}`);
  }

  get hasWork(): boolean {
    return this.queue.size > 0;
  }

  /**
   * From the callback, or from a fault on a range that its area has shrunk under; holds a reference until the range is removed. Once the
   * worker is disabled the end of the mirror takes all ranges, and nothing is queued any more. Never sleeps.
   * @kernel xe_svm_garbage_collector_add_range
   */
  add(range: DriverRange): void {
    if (range.queued || this.isDisabled) return;
    range.queued = true;
    this.vm.gpusvm.rangeGet(range);
    this.queue.add(range);
    this.queued.wakeAll();
  }

  /** Others may queue more while one is removed. The vm lock is held for write. @kernel xe_svm_garbage_collector */
  *collectLocked(): Steps<void> {
    const { svmLock, kernel, vmLock } = this.vm;
    vmLock.assertHeldForWrite();
    if (this.queue.size === 0) return;
    kernel.sched.at(DriverStep.collectGarbage, this.queue.size);
    yield* svmLock.lock();
    for (let range = this.takeFirst(); range !== null; range = this.takeFirst()) {
      yield* this.removeRange(range);
    }
    svmLock.unlock();
  }

  /**
   * Before who has the vm lock for read looks for ranges; it is let go of meanwhile, and held again on return. Whether anything that was said of
   * memory has gone with it since the call, whoever collected it: what was decided by it must be decided anew. @kernel xe_svm_garbage_collector
   */
  *collectFirst(): Steps<boolean> {
    const { vmLock } = this.vm;
    const { forgotten } = this;
    vmLock.readUnlock();
    if (!vmLock.beginWrite()) yield PARK;
    yield* this.collectLocked();
    vmLock.downgrade();
    return this.forgotten !== forgotten;
  }

  /** The one that waits for longest; its reference goes to the caller. Null: nothing is queued. @kernel list_first_entry_or_null */
  takeFirst(): DriverRange | null {
    for (const range of this.queue) {
      this.queue.delete(range);
      return range;
    }
    return null;
  }

  /** Takes the reference of the queue along. The svm lock is held. @kernel __xe_svm_garbage_collector */
  *removeRange(range: DriverRange): Steps<void> {
    const { gpusvm } = this.vm;
    // Whoever changes what devices see may have removed it already, after the invalidation that has put it here.
    if (range.node !== null) {
      yield* this.vm.unmapParts(range, range.parts);
      yield* gpusvm.rangeRemove(range);
    }
    const knows = range.allPages.every((pages) => pages.has(PagesFlag.Unmapped));
    assert(!range.unmapped || knows, 'a device does not know that its range is unmapped');
    if (range.unmapped) this.resetAttributes(range);
    gpusvm.rangePut(range);
  }

  /** What was said to the devices of this mirror goes with the memory. @kernel xe_svm_range_set_default_attr */
  resetAttributes({ start, end }: DriverRange): void {
    const { gpus, attributes } = this.vm;
    for (const { index } of gpus) if (attributes?.mirrors[index].reset(start, end)) this.forgotten++;
  }

  /** The worker's task: it works whenever no fault has collected first. */
  *run(): Steps<void> {
    while (!this.isDisabled) {
      if (this.queue.size === 0) {
        yield* this.queued.wait();
        continue;
      }
      this.isWorking = true;
      this.vm.kernel.sched.enter(workMap);
      yield* this.work();
      this.vm.kernel.sched.leave(workMap);
      this.isWorking = false;
      this.workDone.wakeAll();
    }
  }

  /** @kernel xe_svm_garbage_collector_work_func */
  *work(): Steps<void> {
    const { vmLock } = this.vm;
    yield* vmLock.write();
    assert(!this.vm.finished, 'garbage is collected in a mirror that has ended');
    yield* this.collectLocked();
    vmLock.writeUnlock();
  }

  /** No work begins after this, and none is under way on return. The caller has no lock that the worker needs. @kernel disable_work_sync */
  *disable(): Steps<void> {
    this.isDisabled = true;
    this.queued.wakeAll();
    yield* this.waitForWorker();
  }

  /** Until the worker is done with what it has begun. @kernel flush_work */
  *waitForWorker(): Steps<void> {
    this.vm.kernel.sched.order(workMap.lockClass);
    while (this.isWorking) yield* this.workDone.wait();
  }
}
