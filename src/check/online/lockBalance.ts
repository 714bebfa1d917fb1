/** L3: a function of the protocol returns with the locks that it was entered with. */

import { Errno } from '../../base/errno.js';
import { DriverStep } from '../../driver/driverStep.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { MadviseStep } from '../../mm/area/madvise.js';
import { MmapStep } from '../../mm/area/mmap.js';
import { MprotectStep } from '../../mm/area/mprotect.js';
import { MremapStep } from '../../mm/area/mremap.js';
import { FaultStep } from '../../mm/fault/fault.js';
import { GupStep } from '../../mm/mirror/gup.js';
import { HmmStep } from '../../mm/mirror/hmm.js';
import { ForkStep } from '../../mm/process/fork.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { HeldLock, Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** The steps with which functions begin and end. None of them is called within itself. */
const functions: readonly (readonly [StepId, StepId])[] = [
  [DriverStep.fault, DriverStep.faultDone],
  [DriverStep.vmBind, DriverStep.vmBound],
  [DriverStep.prefetch, DriverStep.prefetchDone],
  [GpuSvmStep.getPages, GpuSvmStep.getPagesDone],
  [HmmStep.rangeFault, HmmStep.done],
  [PagemapStep.toDevmem, PagemapStep.toDevmemDone],
  [PagemapStep.toDevmem, PagemapStep.toDevmemFailed],
  [PagemapStep.toRam, PagemapStep.toRamDone],
  [PagemapStep.evict, PagemapStep.evictDone],
  [FaultStep.cpuFault, FaultStep.cpuFaultDone],
  [GupStep.getPages, GupStep.done],
  [MmapStep.mmap, MmapStep.mapped],
  [MmapStep.munmap, MmapStep.unmapped],
  [MprotectStep.mprotect, MprotectStep.done],
  [MremapStep.mremap, MremapStep.done],
  [MadviseStep.madvise, MadviseStep.done],
  [ForkStep.fork, ForkStep.done],
];

/** By the step with which a function ends, the one with which it begins. */
const firstOf: StepId[] = [];
for (const [first, last] of functions) firstOf[last] = first;

/** What a task held when it came to a function. */
interface Entry {
  readonly held: HeldLock[];
  folioLocks: number;
  isOpen: boolean;
}

/**
 * Implied by the locking rules in the comments of mm, drm_gpusvm, drm_pagemap and xe_svm: a path that leaves early with one lock more or less than it came
 * with hangs a later one; of folio locks the number is compared. A task that ends with a lock is refused by the scheduler in any case.
 */
class LockBalance implements Checker {
  /** By task, then by the step with which the function began. */
  private readonly entries = new Map<number, Map<StepId, Entry>>();

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId, _a: number, _b: number, c: number): void {
    if (task === null) return;
    const first = firstOf[step];
    if (first === undefined) this.enter(task, step);
    // With that errno a handler in user space is to be waited for, and mmap_lock has been dropped for the caller.
    else if (step !== HmmStep.done || c !== Errno.EAGAIN) this.leave(task, step, first);
  }

  /** get_pages begins again for another round, and keeps the locks of the first time. Others may have ended without a step. */
  private enter(task: Task, step: StepId): void {
    const entry = this.entryOf(task, step);
    if (entry.isOpen && step === GpuSvmStep.getPages) return;
    entry.isOpen = true;
    entry.folioLocks = task.folioLocks;
    entry.held.length = task.held.length;
    for (let i = 0; i < task.held.length; i++) entry.held[i] = task.held[i];
  }

  private entryOf(task: Task, step: StepId): Entry {
    let entries = this.entries.get(task.id);
    if (entries === undefined) {
      entries = new Map();
      this.entries.set(task.id, entries);
    }
    let entry = entries.get(step);
    if (entry === undefined) {
      entry = { held: [], folioLocks: 0, isOpen: false };
      entries.set(step, entry);
    }
    return entry;
  }

  private leave(task: Task, step: StepId, first: StepId): void {
    const entry = this.entries.get(task.id)?.get(first);
    if (entry === undefined || !entry.isOpen) return;
    entry.isOpen = false;
    if (entry.folioLocks === task.folioLocks && sameLocks(entry.held, task.held)) return;
    const before = names(entry.held, entry.folioLocks);
    const after = names(task.held, task.folioLocks);
    this.sink.report(
      'L3',
      `${task.name} came to ${stepDefinition(first).name} with ${before} and leaves ${stepDefinition(step).name} with ${after}`,
    );
  }
}

function sameLocks(before: readonly HeldLock[], after: readonly HeldLock[]): boolean {
  if (before.length !== after.length) return false;
  for (let i = 0; i < before.length; i++) if (!holds(after, before[i])) return false;
  return true;
}

function holds(locks: readonly HeldLock[], { lock, mode }: HeldLock): boolean {
  for (let i = 0; i < locks.length; i++) if (locks[i].lock === lock && locks[i].mode === mode) return true;
  return false;
}

function names(held: readonly HeldLock[], folioLocks: number): string {
  const locks = held.map(({ lock, mode }) => `${lock.name} (${mode})`);
  if (folioLocks > 0) locks.push(`${folioLocks} folio locks`);
  return locks.length === 0 ? 'no lock' : locks.join(', ');
}

export const lockBalance: CheckerKind = {
  id: 'L3',
  title: 'a function returns with the locks that it was entered with',
  isCheap: true,
  steps: functions.flat(),
  make: (_machine, sink) => new LockBalance(sink),
};
