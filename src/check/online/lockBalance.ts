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
  [PagemapStep.toDevmem, PagemapStep.alreadyThere],
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
class Entry {
  /** The step with which the function began. */
  first: StepId | null = null;
  folioLocks = 0;
  readonly held: HeldLock[] = [];

  note(first: StepId, { held, folioLocks }: Task): void {
    this.first = first;
    this.folioLocks = folioLocks;
    this.held.length = held.length;
    for (let i = 0; i < held.length; i++) this.held[i] = held[i];
  }
}

/** The functions that a task is within: the first `depth` of its entries, the innermost last. */
class Stack {
  /** Whose it is, or was. */
  task: Task | null = null;
  depth = 0;
  private readonly entries: Entry[] = [];

  find(first: StepId): number {
    let at = this.depth - 1;
    while (at >= 0 && this.entries[at].first !== first) at--;
    return at;
  }

  at(index: number): Entry {
    return this.entries[index];
  }

  push(): Entry {
    if (this.depth === this.entries.length) this.entries.push(new Entry());
    return this.entries[this.depth++];
  }
}

/** Tasks that are remembered before those that have ended are looked for: a function may end without a step. */
const TASKS_MIN = 1024;

/**
 * Implied by the locking rules in the comments of mm, drm_gpusvm, drm_pagemap and xe_svm: a path that leaves early with one lock more or less than it came
 * with hangs a later one; of folio locks the number is compared. A task that ends with a lock is refused by the scheduler in any case.
 */
class LockBalance implements Checker {
  /** By task; those that are within no function are not there. */
  private readonly stacks = new Map<number, Stack>();
  private readonly idle: Stack[] = [];
  private tasksMax = TASKS_MIN;

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId, _a: number, _b: number, c: number): void {
    if (task === null) return;
    const first = firstOf[step];
    if (first === undefined) this.enter(task, step);
    // With that errno mmap_lock has been dropped for the caller, to wait for a handler in user space or a page's lock.
    else if (step !== HmmStep.done || c !== Errno.EAGAIN) this.leave(task, step, first);
  }

  /** get_pages begins again for another round, and keeps the locks of the first time. Others may have ended without a step, and what they called. */
  private enter(task: Task, first: StepId): void {
    const stack = this.stacks.get(task.id) ?? this.open(task);
    const known = stack.find(first);
    if (known >= 0 && first === GpuSvmStep.getPages) return;
    if (known >= 0) stack.depth = known;
    stack.push().note(first, task);
  }

  private open(task: Task): Stack {
    if (this.stacks.size >= this.tasksMax) this.forgetEnded();
    const stack = this.idle.pop() ?? new Stack();
    stack.task = task;
    this.stacks.set(task.id, stack);
    return stack;
  }

  private forgetEnded(): void {
    for (const [id, { task }] of this.stacks) if (task?.state === 'done') this.stacks.delete(id);
    this.tasksMax = Math.max(TASKS_MIN, 2 * this.stacks.size);
  }

  private leave(task: Task, step: StepId, first: StepId): void {
    const stack = this.stacks.get(task.id);
    const at = stack?.find(first) ?? -1;
    if (stack === undefined || at < 0) return;
    const entry = stack.at(at);
    stack.depth = at;
    if (at === 0) {
      this.stacks.delete(task.id);
      this.idle.push(stack);
    }
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
