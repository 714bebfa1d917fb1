/** G5: whoever others wait for by a fence makes no room in memory until it is signalled. */

import { DriverStep } from '../../driver/driverStep.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { ReclaimStep } from '../../mm/swap/reclaim.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/**
 * Implied by dma_fence_begin_signalling, and by what drm_gpuvm asks of its immediate mode: an allocation may have to make room first, by sending away the
 * memory that waits for this very fence. The clear of new memory is the work that has a fence here; no address space of this driver is in immediate mode.
 */
class SignallingPath implements Checker {
  /** What each task clears. */
  private readonly clearing = new Map<Task, number>();

  constructor(private readonly sink: ViolationSink) {}

  onStep(task: Task | null, step: StepId, device: number, _b: number, _c: number, _d: number): void {
    if (task === null) return;
    if (step === DriverStep.clear) this.clearing.set(task, device);
    else if (step === DriverStep.cleared) this.clearing.delete(task);
    else this.lookAt(task, step);
  }

  private lookAt(task: Task, step: StepId): void {
    const device = this.clearing.get(task);
    if (device === undefined) return;
    const what = `a clear of memory of gpu${device} makes room (${stepDefinition(step).name})`;
    this.sink.report('G5', `${what} before its fence is signalled`);
  }
}

export const signallingPath: CheckerKind = {
  id: 'G5',
  title: 'whoever has yet to signal a fence makes no room in memory',
  isCheap: true,
  steps: [
    DriverStep.clear,
    DriverStep.cleared,
    DriverStep.vramEvict,
    DriverStep.boEvict,
    PagemapStep.evict,
    ReclaimStep.shrink,
  ],
  make: (_machine, sink) => new SignallingPath(sink),
};
