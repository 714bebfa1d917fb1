/** I4: from the last callback of an invalidation to its end no device has access to what it covers. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { NO_GPU_PTE } from '../../device/gpuPte.js';
import { inSpace, pageInSpace } from '../../device/gpuSpace.js';
import { DriverRange } from '../../driver/driverRange.js';
import type { GpuHandle } from '../../driver/gpuHandle.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { forEachUserptr } from './publishedPages.js';

/** Pages of one event that are looked up in each device's TLB: an event may cover a whole address space. */
const PAGES_MAX = 16;

/**
 * Implied by the contract of mmu_notifier_invalidate_range_start: between start and end the pages may be freed as soon as the callbacks have
 * returned, and readers wait, so there is neither a translation nor a DMA mapping on any device, and none can be made. An invalidation that could
 * not block and was refused comes to no end, and says nothing. What the driver believes is looked at for all ranges and for what programs have bound of
 * the pages, the hardware for the first pages of ranges; the rest of it when all is at rest.
 */
class AccessRevoked implements Checker {
  /** Of the event under way: pages that are still to be looked up. */
  private pagesLeft = 0;

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(_task: Task | null, _step: StepId, start: number, npages: number, _event: number, id: number): void {
    this.pagesLeft = PAGES_MAX;
    const { vms, processes } = this.machine.coordinator;
    for (const vm of vms) {
      if (vm.mm.id === id && !vm.closed) this.lookAt(vm, start, start + npages);
    }
    const mm = processes.find(id);
    if (mm !== null) this.lookAtUserptrs(mm, start, start + npages);
  }

  private lookAtUserptrs(mm: Mm, start: number, end: number): void {
    forEachUserptr(mm, start, end, ({ pages, start: first }) => {
      if (!pages.has(PagesFlag.HasDmaMapping)) return;
      const whose = `gpu${pages.device.index} has DMA mappings of what it has bound at ${formatVpn(first)}`;
      this.sink.report('I4', `${whose} in an invalidation of it`);
    });
  }

  private lookAt(vm: SvmVm, start: number, end: number): void {
    const { ranges } = vm.gpusvm;
    for (
      let node = ranges.firstOverlap(start, end);
      node !== null;
      node = ranges.nextOverlap(node, start, end)
    ) {
      const range = node.value;
      if (!(range instanceof DriverRange)) continue;
      this.lookAtRange(range);
      if (this.pagesLeft > 0) this.lookAtHardware(vm, range, start, end);
    }
  }

  private lookAtRange(range: DriverRange): void {
    for (const { gpu, bound, pages } of range.parts) {
      if (!bound && !pages.has(PagesFlag.HasDmaMapping)) continue;
      const what = bound ? 'translations' : 'DMA mappings';
      const where = formatVpn(range.start as Vpn);
      this.sink.report('I4', `gpu${gpu.index} has ${what} of the range at ${where} in an invalidation of it`);
    }
  }

  /** Of devices that are none of the range's, nothing is known here. Entries go range by range, so that the ends tell of the page table. */
  private lookAtHardware(vm: SvmVm, range: DriverRange, start: number, end: number): void {
    const first = inSpace(vm.space, Math.max(range.start, start) as Vpn);
    const last = inSpace(vm.space, (Math.min(range.end, end) - 1) as Vpn);
    const npages = Math.min(last - first + 1, this.pagesLeft);
    this.pagesLeft -= npages;
    for (const { gpu } of range.parts) {
      const device = this.machine.devices[gpu.index];
      if (device === undefined) continue;
      const { tlb, pageTable } = device.gpu;
      for (let i = 0; i < npages; i++) {
        if (tlb.lookup((first + i) as Vpn, false) !== NO_GPU_PTE) this.tell(vm, gpu, 'TLB', first + i);
      }
      if (pageTable.entries === 0) continue;
      if (pageTable.read(first) !== NO_GPU_PTE) this.tell(vm, gpu, 'page table', first);
      if (last > first && pageTable.read(last) !== NO_GPU_PTE) this.tell(vm, gpu, 'page table', last);
    }
  }

  /** What programs have bound themselves over a mirrored page is theirs to keep. */
  private tell(vm: SvmVm, gpu: GpuHandle, where: string, tagged: number): void {
    const page = pageInSpace(tagged as Vpn);
    if (vm.deviceVm(gpu).vaAt(page)?.kind !== 'mirror') return;
    this.sink.report(
      'I4',
      `the ${where} of gpu${gpu.index} has page ${formatVpn(page)} after the callbacks of its invalidation`,
    );
  }
}

export const accessRevoked: CheckerKind = {
  id: 'I4',
  title: 'when an invalidation ends, no device has translations or DMA mappings of what it covered',
  isCheap: true,
  steps: [NotifierStep.invEnd],
  make: (machine, sink) => new AccessRevoked(machine, sink),
};
