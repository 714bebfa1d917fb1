/** R3: a device page that is mapped belongs to a pagemap that lives, of a device that is held. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { type GpuSvmPages, PagesFlag } from '../../drm/gpusvm/pages.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';
import { mappedAt } from './publishedPages.js';

/** Implied by the references of drm_pagemap: who maps a page of it has one, and while there is one, device and module are held. */
class PagemapsLive implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(
    task: Task | null,
    _step: StepId,
    start: number,
    npages: number,
    device: number,
    flags: number,
  ): void {
    if (task === null || (flags & PagesFlag.HasDevmemPages) === 0) return;
    const vm = mirrorHeldBy(this.machine.coordinator, task);
    if (vm === null) return;
    for (const { pages } of mappedAt(vm, start, npages, device, flags)) this.lookAt(pages, start, device);
  }

  private lookAt({ dpagemap }: GpuSvmPages, start: number, device: number): void {
    const isAlive =
      dpagemap !== null && dpagemap.references > 0 && !dpagemap.destroyed && dpagemap.hold !== null;
    if (isAlive) return;
    const whose = dpagemap === null ? 'no pagemap' : `a pagemap of gpu${dpagemap.device.index} that is gone`;
    this.sink.report('R3', `gpu${device} maps device pages at ${formatVpn(start as Vpn)} of ${whose}`);
  }
}

export const pagemapsLive: CheckerKind = {
  id: 'R3',
  title: 'device pages that are mapped belong to a pagemap that lives, of a device that is held',
  isCheap: true,
  steps: [GpuSvmStep.mapped],
  make: (machine, sink) => new PagemapsLive(machine, sink),
};
