/** D7: nothing that began before a migration still writes to the memory that pages migrate to. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverDevmem } from '../../driver/driverDevmem.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by drm_pagemap_devmem.pre_migrate_fence, for which the first copy has to wait: what the earlier work writes later would take the place of
 * what was copied. Looked at when a part of a migration has been copied, and only while some clear is under way.
 */
class MemoryIdle implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, _step: StepId, page: number): void {
    const { vram, zdds } = this.machine.coordinator;
    if (task === null || vram.clears.pending === 0) return;
    for (const { devmem } of zdds) {
      if (!(devmem instanceof DriverDevmem) || !isTarget(devmem, task, page)) continue;
      if (!vram.clears.isUnderWay(devmem)) continue;
      const what = `pages at ${formatVpn(page as Vpn)} are copied to memory of gpu${devmem.gpu.index}`;
      this.sink.report('D7', `${what} that is still being cleared`);
    }
  }
}

/** The task migrates the page to it: nobody else has its process's mmap_lock while memory is chosen for that very page. */
function isTarget({ mm, start, npages }: DriverDevmem, { held }: Task, page: number): boolean {
  return start <= page && page < start + npages && held.some(({ lock }) => lock === mm.mmapLock);
}

export const memoryIdle: CheckerKind = {
  id: 'D7',
  title: 'memory that pages are copied to is idle: no earlier work on it is under way',
  isCheap: true,
  steps: [PagemapStep.copied],
  make: (machine, sink) => new MemoryIdle(machine, sink),
};
