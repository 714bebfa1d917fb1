/** Removes ranges whose pages were unmapped; the callback that marks them may not do it itself. */

import { assert } from '../base/assert.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import type { DriverRange } from './driverRange.js';
import { DriverStep } from './driverStep.js';
import type { SvmVm } from './svmVm.js';

/** @kernel xe_svm_garbage_collector */
export class GarbageCollector {
  private list: DriverRange[] = [];
  private readonly work: WaitQueue;
  private stopped = false;

  constructor(private readonly vm: SvmVm) {
    this.work = new WaitQueue(vm.kernel.sched, `garbage of ${vm.config.name}`);
  }

  get hasWork(): boolean {
    return this.list.length > 0;
  }

  /**
   * From the callback, or from a fault on a range that its area has shrunk under; holds a reference until the range is removed.
   * @kernel xe_svm_garbage_collector_add_range
   */
  add(range: DriverRange): void {
    if (range.queued || this.stopped) return;
    range.queued = true;
    this.vm.gpusvm.rangeGet(range);
    this.list.push(range);
    this.work.wakeAll();
  }

  /** The vm lock is held for write. @kernel xe_svm_garbage_collector */
  *collectLocked(): Steps<void> {
    const { gpusvm, svmLock, kernel, vmLock } = this.vm;
    vmLock.assertHeldForWrite();
    if (this.list.length === 0) return;
    kernel.sched.at(DriverStep.collectGarbage, this.list.length);
    yield* svmLock.lock();
    for (let range = this.list.pop(); range !== undefined; range = this.list.pop()) {
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
    svmLock.unlock();
  }

  /** What was said to the devices of this mirror goes with the memory. @kernel xe_svm_range_set_default_attr */
  resetAttributes({ start, end }: DriverRange): void {
    const { gpus, attributes } = this.vm;
    for (const { index } of gpus) attributes?.mirrors[index].reset(start, end);
  }

  /** The worker: runs whenever no fault has collected first. @kernel xe_svm_garbage_collector_work_func */
  *run(): Steps<void> {
    const { vmLock } = this.vm;
    while (!this.stopped) {
      if (this.list.length === 0) {
        yield* this.work.wait();
        continue;
      }
      yield* vmLock.write();
      if (!this.stopped) yield* this.collectLocked();
      vmLock.writeUnlock();
    }
  }

  /** No work starts after this; the list is empty. @kernel disable_work_sync */
  stop(): void {
    this.stopped = true;
    this.work.wakeAll();
  }
}
