/** I3: pages become valid, and translations are published, only under the notifier lock and while nothing has been invalidated since they were read. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { mirrorHeldBy } from './heldLocks.js';
import { type MappedPages, mappedAt, partsIn } from './publishedPages.js';

/**
 * Implied by the usage pattern in hmm.rst and the locking rules of drm_gpusvm: what HMM has read carries no references, so it may be used only
 * under the lock that the callback takes, after mmu_interval_read_retry said no, for the notifier that covers the pages; when entries are committed,
 * drm_gpusvm_pages_valid says the same for one range.
 */
class PublishRule implements Checker {
  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(
    task: Task | null,
    step: StepId,
    start: number,
    npages: number,
    device: number,
    flags: number,
  ): void {
    if (task === null) return;
    const vm = mirrorHeldBy(this.machine.coordinator, task);
    if (vm === null) this.violate(step, start, device, 'without the notifier lock');
    else if (step === DriverStep.bind) this.lookAtCommit(vm, start, npages, device);
    else this.lookAtMapping(vm, start, device, mappedAt(vm, start, npages, device, flags));
  }

  /** Of several that look the same one has just become valid; the others may have been so before an invalidation beside them. */
  private lookAtMapping(vm: SvmVm, start: number, device: number, mapped: readonly MappedPages[]): void {
    if (mapped.length === 0) return;
    const { invalidateSeq: now } = vm.mm.notifiers;
    const fresh = mapped.filter(({ pages, interval }) => pages.notifierSeq === interval.invalidateSeq);
    if (fresh.length === 0) {
      const [{ pages, interval }] = mapped;
      const why = `with the sequence ${pages.notifierSeq}, though its notifier has ${interval.invalidateSeq}`;
      this.violate(GpuSvmStep.mapped, start, device, why);
    } else if ((now & 1) !== 0 && fresh.every(({ interval }) => interval.invalidateSeq === now)) {
      this.violate(GpuSvmStep.mapped, start, device, 'in the middle of an invalidation of its notifier');
    }
  }

  private lookAtCommit(vm: SvmVm, start: number, npages: number, device: number): void {
    const parts = partsIn(vm, start, npages, device);
    if (parts.some(({ pages }) => !pages.has(PagesFlag.HasDmaMapping)))
      this.violate(DriverStep.bind, start, device, 'from pages that are not valid any more');
  }

  private violate(step: StepId, start: number, device: number, why: string): void {
    const what = step === GpuSvmStep.mapped ? 'makes pages valid' : 'publishes translations';
    this.sink.report('I3', `gpu${device} ${what} at ${formatVpn(start as Vpn)} ${why}`);
  }
}

export const publishRule: CheckerKind = {
  id: 'I3',
  title: 'pages become valid and are bound under the notifier lock, while what was read still holds',
  isCheap: true,
  steps: [GpuSvmStep.mapped, DriverStep.bind],
  make: (machine, sink) => new PublishRule(machine, sink),
};
