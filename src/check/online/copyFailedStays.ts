/** M6: pages whose copy failed are not mapped as migrated: nobody sees memory that was never written. */

import { Errno, errnoName, isErrno } from '../../base/errno.js';
import { DriverStep } from '../../driver/driverStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { StepId } from '../../sim/steps.js';
import { stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Where a migration, or a pass of an eviction, begins. */
const begins: readonly StepId[] = [
  PagemapStep.toDevmem,
  PagemapStep.toRam,
  PagemapStep.evict,
  PagemapStep.evictRetry,
];

/**
 * Implied by the two halves of migrate_vma: the caller clears the destinations of pages that it could not copy, so that finalize maps the sources again.
 * Otherwise the process reads what the memory held before, which may be another one's.
 */
class CopyFailedStays implements Checker {
  /** By task: the error of a copy in the migration under way. */
  private readonly failed = new Map<number, number>();

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId, _a: number, _b: number, errno: number): void {
    if (task === null) return;
    if (step === DriverStep.copyFailed) this.failed.set(task.id, errno);
    else if (this.failed.size > 0) this.lookAtEnd(task, step, errno);
  }

  private lookAtEnd(task: Task, step: StepId, errno: number): void {
    const failed = this.failed.get(task.id);
    if (failed === undefined) return;
    this.failed.delete(task.id);
    if (begins.includes(step)) return;
    // The one that succeeded has no errno.
    if (step !== PagemapStep.toDevmemDone && errno !== Errno.OK) return;
    const why = isErrno(failed) ? errnoName(failed) : failed;
    this.sink.report(
      'M6',
      `a copy failed with ${why}, and ${stepDefinition(step).name} says that the pages moved`,
    );
  }
}

export const copyFailedStays: CheckerKind = {
  id: 'M6',
  title: 'pages whose copy failed are not mapped as migrated',
  isCheap: true,
  steps: [
    DriverStep.copyFailed,
    ...begins,
    PagemapStep.toDevmemDone,
    PagemapStep.toDevmemFailed,
    PagemapStep.toRamDone,
    PagemapStep.evictDone,
  ],
  make: (_machine, sink) => new CopyFailedStays(sink),
};
