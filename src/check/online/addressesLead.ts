/** M12: the addresses of pages that became valid are well-formed, and lead to memory that is in use. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import type { GpuHandle } from '../../driver/gpuHandle.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import type { GpuSvmPages } from '../../drm/gpusvm/pages.js';
import {
  type DmaAddr,
  DmaProto,
  dmaAddrAt,
  dmaOrder,
  dmaPage,
  dmaProto,
  NO_DMA_ADDR,
} from '../../memory/dmaAddr.js';
import type { Pfn } from '../../memory/pfn.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';
import { mappedAt } from './publishedPages.js';

/**
 * Implied by the formats of hmm-pfns and of drm_pagemap_addr: an entry is empty or says what it is, so that nobody takes one kind for another or reads
 * what an array held before. Here each entry covers a power of two of pages within the span, and none is empty.
 */
class AddressesLead implements Checker {
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
    const { coordinator } = this.machine;
    const vm = task === null ? null : mirrorHeldBy(coordinator, task);
    if (vm === null) return;
    for (const { pages } of mappedAt(vm, start, npages, device, flags))
      this.lookAt(coordinator.gpus[device], pages, start, npages);
  }

  private lookAt(gpu: GpuHandle, { dmaAddrs }: GpuSvmPages, start: number, npages: number): void {
    let covered = 0;
    for (let at = 0; covered < npages; at++) {
      const addr = dmaAddrs === null || at >= dmaAddrs.length ? NO_DMA_ADDR : dmaAddrAt(dmaAddrs, at);
      if (addr === NO_DMA_ADDR || !this.isInUse(gpu, addr)) {
        this.violate(gpu, start + covered, addr === NO_DMA_ADDR ? 'no address' : 'an address of free memory');
        return;
      }
      covered += 2 ** dmaOrder(addr);
    }
    if (covered !== npages) this.violate(gpu, start, `addresses of ${covered} pages, not ${npages}`);
  }

  private isInUse(gpu: GpuHandle, addr: DmaAddr): boolean {
    const { folios, memory } = this.machine.coordinator.kernel;
    const isSystem = dmaProto(addr) === DmaProto.System;
    const frame = isSystem ? gpu.iommu.iommu.translate(dmaPage(addr), false) : dmaPage(addr);
    if (frame < 0 || frame >= memory.layout.totalPages) return false;
    return folios.refcount(folios.headOf(frame as Pfn)) > 0;
  }

  private violate({ index }: GpuHandle, page: number, what: string): void {
    this.sink.report('M12', `gpu${index} has ${what} at ${formatVpn(page as Vpn)}, which became valid`);
  }
}

export const addressesLead: CheckerKind = {
  id: 'M12',
  title: 'the addresses of pages that became valid are well-formed and lead to memory in use',
  isCheap: false,
  steps: [GpuSvmStep.mapped],
  make: (machine, sink) => new AddressesLead(machine, sink),
};
