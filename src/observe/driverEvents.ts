/** Collects what drivers report to a process of its memory: illegal accesses of devices, and migrations with their causes. */

import { DriverStep, MigrateTrigger } from '../driver/driverStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { FaultStep } from '../mm/fault/fault.js';
import type { StepObserver } from '../sim/scheduler.js';
import type { StepId } from '../sim/steps.js';
import type { Task } from '../sim/task.js';

/** Plain data, so that it crosses between threads. */
export interface DriverEvent {
  readonly kind: 'gpu_memory_fault' | 'migrate_start';
  /** Number of the address space. */
  readonly mm: number;
  readonly page: number;
  readonly npages: number;
  /** Why pages migrate; null for a fault. */
  readonly trigger: string | null;
}

/** @kernel KFD_MIGRATE_TRIGGERS */
const triggerNames: Readonly<Record<number, string>> = {
  [MigrateTrigger.Prefetch]: 'prefetch',
  [MigrateTrigger.GpuFault]: 'gpu_fault',
  [MigrateTrigger.CpuFault]: 'cpu_fault',
  [MigrateTrigger.Eviction]: 'eviction',
};

/** For runs that are short: it forgets nothing. */
export class DriverEvents implements StepObserver {
  readonly list: DriverEvent[] = [];
  /** Tasks that serve a fault of a CPU thread. */
  private readonly cpuFaults = new Set<Task | null>();

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    switch (step) {
      case DriverStep.memoryFault:
        this.list.push({ kind: 'gpu_memory_fault', mm: d, page: a, npages: 1, trigger: null });
        break;
      case DriverStep.migrateStart:
        this.noteMigration(c, a, b, d);
        break;
      case FaultStep.cpuFault:
        this.cpuFaults.add(task);
        break;
      case FaultStep.cpuFaultDone:
        this.cpuFaults.delete(task);
        break;
      case PagemapStep.toRam:
        // Drivers also use the CPU's way home, for prefetches among others; they have said then why.
        if (this.cpuFaults.has(task)) this.noteMigration(d, a, b, MigrateTrigger.CpuFault);
        break;
    }
  }

  private noteMigration(mm: number, page: number, npages: number, trigger: number): void {
    this.list.push({ kind: 'migrate_start', mm, page, npages, trigger: triggerNames[trigger] ?? 'unknown' });
  }
}
