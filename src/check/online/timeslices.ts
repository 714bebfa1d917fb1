/** L5: a CPU fault does not take pages from a device before their timeslice ends. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { Pfn } from '../../memory/pfn.js';
import { FaultStep } from '../../mm/fault/fault.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by timeslice_expiration of drm_pagemap_devmem: pages that have just come to a device stay for that long whoever faults on them, so that two who
 * want them both get on, and the CPU waits no longer than that.
 */
class Timeslices implements Checker {
  /** By task: the device page that its CPU fault has locked. */
  private readonly locked = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, page: number, b: number): void {
    if (task === null) return;
    if (step === FaultStep.deviceLocked) this.locked.set(task.id, b);
    else if (step === FaultStep.deviceDone) this.locked.delete(task.id);
    else this.lookAtMigration(task, page);
  }

  private lookAtMigration(task: Task, page: number): void {
    const { coordinator, sched } = this.machine;
    const pfn = this.locked.get(task.id);
    if (pfn === undefined) return;
    const devmem = coordinator.zdds.find(coordinator.kernel.folios.zoneData(pfn as Pfn))?.devmem ?? null;
    const leftNs = devmem === null ? 0 : devmem.timesliceExpirationNs - sched.now();
    if (leftNs <= 0) return;
    this.sink.report(
      'L5',
      `pages at ${formatVpn(page as Vpn)} go home ${leftNs} ns before their timeslice ends`,
    );
  }
}

export const timeslices: CheckerKind = {
  id: 'L5',
  title: 'a CPU fault takes no page from a device before its timeslice ends',
  isCheap: true,
  steps: [FaultStep.deviceLocked, FaultStep.deviceDone, PagemapStep.toRam],
  make: (machine, sink) => new Timeslices(machine, sink),
};
