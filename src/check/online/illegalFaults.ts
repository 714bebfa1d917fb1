/** L4: an access where nothing is mapped, or that the area does not allow, from its fault's begin to the end, is refused. */

import type { Machine } from '../../actors/machine.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { Vma } from '../../mm/area/vma.js';
import { FaultStep } from '../../mm/fault/fault.js';
import type { Mm } from '../../mm/process/mm.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { areaChanges, isMirrored, onlyMirrorOf } from './faultSubject.js';

/** A fault under way where there is no area, or one that does not allow it. */
interface IllegalFault {
  readonly mm: Mm;
  readonly vma: Vma | null;
  readonly flags: number;
  readonly write: boolean;
  /** Calls that may change areas before it began. */
  readonly changes: number;
}

/**
 * Implied by do_user_addr_fault, drm_gpusvm_range_find_or_insert and hmm_range_fault, all of which look at the area first: where there is none, or the area
 * does not allow it, the access ends with a signal or a reset of the context. A fault that says otherwise is raised again for ever, or has given a device
 * what its process may not touch. Where a device still has a range nothing is said: that one is as the area was, until its invalidation comes.
 */
class IllegalFaults implements Checker {
  private changes = 0;
  /** By task. */
  private readonly open = new Map<number, IllegalFault>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, page: number, b: number, c: number): void {
    switch (step) {
      case FaultStep.cpuFault:
        if (task !== null) this.begin(task, this.machine.coordinator.processes.find(c), page as Vpn, b !== 0);
        return;
      case DriverStep.fault:
        if (task !== null) this.beginOfGpu(task, page as Vpn, b !== 0, c);
        return;
      case FaultStep.cpuFaultDone:
        if (task !== null && this.open.size > 0) this.end(task, page as Vpn, b, 'the CPU');
        return;
      case DriverStep.faultDone:
        if (task !== null && this.open.size > 0) this.end(task, page as Vpn, c, `gpu${b}`);
        return;
      default:
        this.changes++;
    }
  }

  private begin(task: Task, mm: Mm | null, page: Vpn, write: boolean): void {
    const vma = mm?.vmas.find(page) ?? null;
    if (mm === null || mayAccess(vma, write)) return;
    this.open.set(task.id, { mm, vma, flags: vma?.flags ?? 0, write, changes: this.changes });
  }

  private beginOfGpu(task: Task, page: Vpn, write: boolean, device: number): void {
    const { coordinator } = this.machine;
    const gpu = coordinator.gpus[device];
    const vm = onlyMirrorOf(coordinator, gpu);
    if (vm === null || !isMirrored(vm, gpu, page) || vm.gpusvm.findRange(page) !== null) return;
    this.begin(task, vm.mm, page, write);
  }

  private end(task: Task, page: Vpn, errno: number, who: string): void {
    const fault = this.open.get(task.id);
    if (fault === undefined) return;
    this.open.delete(task.id);
    if (errno !== Errno.OK || fault.changes !== this.changes) return;
    const { mm, vma, flags, write } = fault;
    if (mm.vmas.find(page) !== vma || (vma?.flags ?? 0) !== flags) return;
    const what = vma === null ? 'where nothing is mapped' : 'that its area does not allow';
    this.sink.report(
      'L4',
      `${write ? 'a store' : 'a load'} of ${who} at ${formatVpn(page)}, ${what}, is not refused`,
    );
  }
}

function mayAccess(vma: Vma | null, write: boolean): boolean {
  return vma !== null && (write ? vma.isWritable : vma.isAccessible);
}

export const illegalFaults: CheckerKind = {
  id: 'L4',
  title: 'a fault where nothing is mapped, or that its area does not allow, ends with an error',
  isCheap: true,
  steps: [DriverStep.fault, DriverStep.faultDone, FaultStep.cpuFault, FaultStep.cpuFaultDone, ...areaChanges],
  make: (machine, sink) => new IllegalFaults(machine, sink),
};
