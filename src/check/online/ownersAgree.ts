/** M13: a device uses device pages as they are only if they belong to its own group. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { FolioTable } from '../../memory/folios.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import type { Mm } from '../../mm/process/mm.js';
import { PteKind, pteFromWord, pteKind, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';
import { mappedAt } from './publishedPages.js';

/**
 * Implied by hmm_vma_handle_pte, which returns a device-private page without a fault only to its owner, and by migrate_vma_collect_pmd, which takes only
 * device pages of the caller's owner: the owner is what says that the device has a way to that memory.
 */
class OwnersAgree implements Checker {
  /** By task: the device that it migrates to. */
  private readonly targets = new Map<number, number>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, start: number, npages: number, c: number, d: number): void {
    if (task === null) return;
    switch (step) {
      case GpuSvmStep.mapped:
        if ((d & PagesFlag.HasDevmemPages) !== 0) this.lookAtMapping(task, start, npages, c, d);
        return;
      case PagemapStep.toDevmem:
        this.targets.set(task.id, c);
        return;
      case MigrateStep.collect:
        this.lookAtCollected(task, start, npages, c);
        return;
      default:
        this.targets.delete(task.id);
    }
  }

  private lookAtMapping(task: Task, start: number, npages: number, device: number, flags: number): void {
    const vm = mirrorHeldBy(this.machine.coordinator, task);
    if (vm === null) return;
    for (const { pages } of mappedAt(vm, start, npages, device, flags)) {
      const { dpagemap } = pages;
      if (dpagemap === null || this.isOwn(device, dpagemap.pagemap.owner)) continue;
      this.violate(`maps pages of gpu${dpagemap.device.index}`, start, device);
    }
  }

  /** What the task itself has locked: other migrations' pages are their own business. */
  private lookAtCollected(task: Task, start: number, npages: number, id: number): void {
    const device = this.targets.get(task.id);
    const mm = device === undefined ? null : this.machine.coordinator.processes.find(id);
    if (device === undefined || mm === null) return;
    for (let page = start; page < start + npages; page++) this.lookAtEntry(task, mm, page as Vpn, device);
  }

  private lookAtEntry(task: Task, mm: Mm, page: Vpn, device: number): void {
    const { kernel } = this.machine.coordinator;
    const folios: FolioTable = kernel.folios;
    const pte = pteFromWord(mm.pageTable.get(page));
    if (pteKind(pte) !== PteKind.Migration) return;
    const pfn = ptePfn(pte);
    if (!kernel.memory.layout.isDevicePrivate(pfn) || folios.lockOwner(pfn) !== task.id) return;
    const pagemap = kernel.pagemapOf(pfn);
    if (pagemap !== null && !this.isOwn(device, pagemap.owner))
      this.violate('migrates a page of others', page, device);
  }

  /**
   * A device that the driver has let go of has no owner of its own any more, but a round of a fault that began before ends with the one that it began
   * with: its address space stays a peer of the group until then, as in the kernel for as long as it lives.
   */
  private isOwn(device: number, owner: number): boolean {
    const { coordinator } = this.machine;
    const gpu = coordinator.gpus[device];
    return gpu.dpagemap === null || coordinator.ownerOf(gpu) === owner;
  }

  private violate(what: string, page: number, device: number): void {
    this.sink.report('M13', `gpu${device} ${what} at ${formatVpn(page as Vpn)}, which has another owner`);
  }
}

export const ownersAgree: CheckerKind = {
  id: 'M13',
  title: 'device pages are mapped and migrated without a CPU fault only by devices of their owner',
  isCheap: true,
  steps: [
    GpuSvmStep.mapped,
    PagemapStep.toDevmem,
    MigrateStep.collect,
    PagemapStep.toDevmemDone,
    PagemapStep.alreadyThere,
    PagemapStep.toDevmemFailed,
  ],
  make: (machine, sink) => new OwnersAgree(machine, sink),
};
