/** L1: loops have bounds: get_pages ends with its deadline, an eviction with its passes, a fault with its attempts at migration. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import { HMM_TIMEOUT_NS } from '../../drm/gpusvm/gpusvm.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Passes of an eviction after the first. */
const EVICT_RETRIES = 2;
/** Of a fault that must end in device memory: three attempts, each with a second one when it has the field to itself. */
const MIGRATIONS = 6;

/**
 * Implied by HMM_RANGE_DEFAULT_TIMEOUT in drm_gpusvm_get_pages, the retry count of drm_pagemap_evict_to_ram and the migrate_try_count of xe's fault
 * handler: invalidations, faults and other migrations may get in the way for ever, and nobody waits for ever.
 */
class BoundedLoops implements Checker {
  /** By task: when get_pages began. */
  private readonly since = new Map<number, number>();
  /** Tasks whose get_pages has begun again though its time was over. */
  private readonly late = new Set<number>();
  /** Tasks whose get_pages begins again: what follows without that is another call. */
  private readonly retrying = new Set<number>();
  private readonly passes = new Map<number, number>();
  private readonly migrations = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number): void {
    if (task === null) return;
    const { id } = task;
    switch (step) {
      case GpuSvmStep.getPages:
        if (!this.retrying.delete(id)) this.since.set(id, this.machine.sched.now());
        return;
      case GpuSvmStep.getPagesRetry:
        this.retrying.add(id);
        this.lookAtTime(id, a);
        return;
      case PagemapStep.evict:
        this.passes.set(id, 0);
        return;
      case PagemapStep.evictRetry:
        this.count(this.passes, id, EVICT_RETRIES, 'an eviction begins pass');
        return;
      case DriverStep.fault:
        this.migrations.set(id, 0);
        this.since.delete(id);
        return;
      case DriverStep.migrate:
        this.count(this.migrations, id, MIGRATIONS, 'a fault begins migration');
        return;
      case DriverStep.faultDone:
        this.migrations.delete(id);
        this.since.delete(id);
        return;
      default:
        this.since.delete(id);
        if (this.late.size > 0) this.late.delete(id);
        if (step === PagemapStep.evictDone) this.passes.delete(id);
    }
  }

  /** An attempt may end late, and the next one then ends at once. */
  private lookAtTime(id: number, page: number): void {
    const tookNs = this.machine.sched.now() - (this.since.get(id) ?? this.machine.sched.now());
    if (tookNs <= HMM_TIMEOUT_NS || !this.late.has(id)) {
      if (tookNs > HMM_TIMEOUT_NS) this.late.add(id);
      return;
    }
    this.sink.report('L1', `get_pages at ${formatVpn(page as Vpn)} tries again after ${tookNs / 1e6} ms`);
  }

  /** What the task does not count is not under way. */
  private count(counts: Map<number, number>, id: number, max: number, what: string): void {
    const count = counts.get(id);
    if (count === undefined) return;
    counts.set(id, count + 1);
    if (count >= max) this.sink.report('L1', `${what} ${count + 1}; ${max} are allowed`);
  }
}

export const boundedLoops: CheckerKind = {
  id: 'L1',
  title:
    'loops end: get_pages in time, evictions after their passes, faults after their attempts at migration',
  isCheap: true,
  steps: [
    GpuSvmStep.getPages,
    GpuSvmStep.getPagesRetry,
    GpuSvmStep.getPagesDone,
    DriverStep.fault,
    DriverStep.migrate,
    DriverStep.faultDone,
    PagemapStep.evict,
    PagemapStep.evictRetry,
    PagemapStep.evictDone,
  ],
  make: (machine, sink) => new BoundedLoops(machine, sink),
};
