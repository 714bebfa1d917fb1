/** L6: an eviction that succeeds has left no page. */

import type { Machine } from '../../actors/machine.js';
import { Errno } from '../../base/errno.js';
import type { DriverDevmem } from '../../driver/driverDevmem.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by drm_pagemap_evict_to_ram: only the completion of `detached` says that nobody refers to the memory any more, whatever the last pass has
 * reported; a driver that takes the memory away earlier takes it from pages in use.
 */
class EvictionEnds implements Checker {
  /** By task: what it evicts. */
  private readonly victims = new Map<number, DriverDevmem>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, device: number, _npages: number, c: number): void {
    if (task === null) return;
    if (step === PagemapStep.evict) this.begin(task, device, c);
    else this.end(task, c);
  }

  private begin(task: Task, device: number, allocation: number): void {
    const gpu = this.machine.coordinator.gpus[device];
    if (gpu === undefined) return;
    for (const devmem of gpu.allocations) {
      if (devmem.allocation === allocation) this.victims.set(task.id, devmem);
    }
  }

  private end(task: Task, errno: number): void {
    const victim = this.victims.get(task.id);
    if (victim === undefined) return;
    this.victims.delete(task.id);
    if (errno !== Errno.OK || victim.detached.isDone) return;
    this.sink.report(
      'L6',
      `an eviction of allocation ${victim.allocation} succeeds, but pages of it are in use`,
    );
  }
}

export const evictionEnds: CheckerKind = {
  id: 'L6',
  title: 'an eviction ends with an error, or without a page left',
  isCheap: true,
  steps: [PagemapStep.evict, PagemapStep.evictDone],
  make: (machine, sink) => new EvictionEnds(machine, sink),
};
