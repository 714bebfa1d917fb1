/** E4: a migration whose copy failed, or a request of which a mapping could not be bound, reports that error, whatever happens on its way out. */

import { Errno, errnoName, isErrno } from '../../base/errno.js';
import { DriverStep } from '../../driver/driverStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

const begins: readonly StepId[] = [PagemapStep.toDevmem, PagemapStep.toRam];

/**
 * Implied by the ways out of drm_pagemap_migrate_to_devmem and __drm_pagemap_migrate_to_ram: they put things back, and what fails there does not
 * replace the error that they were taken for. Of the passes of an eviction the last one counts, so they are left out. The same of vm_bind_ioctl_ops_unwind: the
 * program learns why its request failed, and not what taking it back met with.
 */
class FirstErrorWins implements Checker {
  /** By task: the first error of a copy in the migration under way. */
  private readonly first = new Map<number, number>();
  /** By task with a request: why the last of its mappings that was not bound was not; OK until then. */
  private readonly unbound = new Map<number, number>();

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId, _a: number, _b: number, c: number, d: number): void {
    if (task === null) return;
    switch (step) {
      case DriverStep.vmBind:
        this.unbound.set(task.id, Errno.OK);
        return;
      case DriverStep.bound:
        this.noteUnbound(task, d);
        return;
      case DriverStep.boNotValidated:
        this.noteUnbound(task, c);
        return;
      case DriverStep.vmBound:
        this.lookAtRequest(task, d);
        return;
      default:
        this.noteMigration(task, step, c);
    }
  }

  private noteUnbound(task: Task, errno: number): void {
    if (errno !== Errno.OK && this.unbound.has(task.id)) this.unbound.set(task.id, errno);
  }

  /** What pages of the process could not be bound is left to their first access, and the request goes on. */
  private lookAtRequest(task: Task, errno: number): void {
    const why = this.unbound.get(task.id) ?? Errno.OK;
    this.unbound.delete(task.id);
    const hasFailed = why !== Errno.OK && errno !== Errno.OK;
    if (!hasFailed || errno === why || !isErrno(why) || !isErrno(errno)) return;
    this.sink.report(
      'E4',
      `a mapping was not bound for ${errnoName(why)}, but driver.vmBound says ${errnoName(errno)}`,
    );
  }

  private noteMigration(task: Task, step: StepId, errno: number): void {
    if (step !== DriverStep.copyFailed) this.lookAtEnd(task, step, errno);
    else if (!this.first.has(task.id)) this.first.set(task.id, errno);
  }

  private lookAtEnd(task: Task, step: StepId, errno: number): void {
    if (this.first.size === 0) return;
    const first = this.first.get(task.id);
    if (first === undefined) return;
    this.first.delete(task.id);
    // That it ends well is another rule's business.
    const isEnd = !begins.includes(step) && step !== PagemapStep.evict && errno !== Errno.OK;
    if (!isEnd || errno === first || !isErrno(first) || !isErrno(errno)) return;
    this.sink.report(
      'E4',
      `a copy failed with ${errnoName(first)}, but ${stepDefinition(step).name} says ${errnoName(errno)}`,
    );
  }
}

export const firstErrorWins: CheckerKind = {
  id: 'E4',
  title: 'a migration, or a request to bind, reports the first error, and unwinding does not replace it',
  isCheap: true,
  steps: [
    DriverStep.copyFailed,
    ...begins,
    PagemapStep.evict,
    PagemapStep.toDevmemFailed,
    PagemapStep.toRamDone,
    DriverStep.vmBind,
    DriverStep.bound,
    DriverStep.boNotValidated,
    DriverStep.vmBound,
  ],
  make: (_machine, sink) => new FirstErrorWins(sink),
};
