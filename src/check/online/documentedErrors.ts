/** E1: a function reports only errors that it is documented to report. */

import { Errno, errnoName, isErrno } from '../../base/errno.js';
import { DriverStep } from '../../driver/driverStep.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { FaultStep } from '../../mm/fault/fault.js';
import { HmmStep } from '../../mm/mirror/hmm.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

const {
  OK,
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  EAGAIN,
  ENOMEM,
  EACCES,
  EFAULT,
  EBUSY,
  ENODEV,
  EINVAL,
  ETIME,
  EOPNOTSUPP,
} = Errno;

/** What ends a copy or a migration that its caller asked for. */
const COPY = [EIO, ENOMEM, EFAULT, ENODEV];
/** By the step with which a function ends. */
const documented: ReadonlyMap<StepId, ReadonlySet<number>> = new Map<StepId, ReadonlySet<number>>([
  [HmmStep.done, new Set([OK, EAGAIN, EBUSY, EFAULT, EPERM, ENOMEM, EINTR])],
  [GpuSvmStep.getPagesDone, new Set([OK, EFAULT, EPERM, EOPNOTSUPP, EBUSY, ENOMEM, EINTR])],
  [GpuSvmStep.getPagesRetry, new Set([EAGAIN, EBUSY])],
  [GpuSvmStep.evict, new Set([OK, EFAULT, EPERM, ENOMEM, ETIME, EINTR])],
  [PagemapStep.toDevmemFailed, new Set([EOPNOTSUPP, ENOENT, EINVAL, EBUSY, ...COPY])],
  [PagemapStep.toRamDone, new Set([OK, EINVAL, EBUSY, ...COPY])],
  [PagemapStep.evictDone, new Set([OK, EBUSY, ...COPY])],
  [DriverStep.bound, new Set([OK, EAGAIN, ENOMEM, ENODEV])],
  [DriverStep.prefetchDone, new Set([OK, EFAULT, EINVAL, EIO, ENOMEM, EBUSY, ENOENT, ENODEV])],
  [DriverStep.faultDone, new Set([OK, EPERM, EACCES, ENOENT, EINVAL, EBUSY, EOPNOTSUPP, ...COPY])],
  [FaultStep.cpuFaultDone, new Set([OK, EFAULT, ENOMEM])],
]);

/** Where each of them has its errno. */
const positions: ReadonlyMap<StepId, number> = new Map(
  [...documented.keys()].map((step) => [step, stepDefinition(step).fields.indexOf('errno')]),
);

/**
 * Implied by the documentation of drm_gpusvm, drm_pagemap and hmm: callers decide by the error whether to try again, to evict, or to give up, so one
 * that they do not know of ends in the wrong branch. -EAGAIN and -ETIME never leave a fault.
 */
class DocumentedErrors implements Checker {
  constructor(private readonly sink: ViolationSink) {}

  onStep(_task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const position = positions.get(step);
    const errno = position === 0 ? a : position === 1 ? b : position === 2 ? c : d;
    if (errno === OK || documented.get(step)?.has(errno) === true) return;
    const what = isErrno(errno) ? errnoName(errno) : errno;
    this.sink.report(
      'E1',
      `${stepDefinition(step).name} says ${what}, which is not among its documented errors`,
    );
  }
}

export const documentedErrors: CheckerKind = {
  id: 'E1',
  title: 'a function reports only errors that it is documented to report',
  isCheap: true,
  steps: [...documented.keys()],
  make: (_machine, sink) => new DocumentedErrors(sink),
};
