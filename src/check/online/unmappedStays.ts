/** D3: pages that were marked unmapped are never mapped again. */

import { formatVpn, type Vpn } from '../../base/units.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Implied by drm_gpusvm_range_set_unmapped: the flag is for the range's life, since nobody else would tell a late fault that its area is gone. */
class UnmappedStays implements Checker {
  constructor(private readonly sink: ViolationSink) {}

  onStep(
    _task: Task | null,
    _step: StepId,
    start: number,
    _npages: number,
    device: number,
    flags: number,
  ): void {
    if ((flags & PagesFlag.Unmapped) === 0) return;
    this.sink.report('D3', `gpu${device} maps pages at ${formatVpn(start as Vpn)} that were unmapped`);
  }
}

export const unmappedStays: CheckerKind = {
  id: 'D3',
  title: 'pages that were unmapped are not mapped for DMA again',
  isCheap: true,
  steps: [GpuSvmStep.mapped],
  make: (_machine, sink) => new UnmappedStays(sink),
};
