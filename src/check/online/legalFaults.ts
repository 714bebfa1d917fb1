/** L4: an access that its area allows, from its fault's begin to the end, is not refused. */

import type { Machine } from '../../actors/machine.js';
import { Errno, errnoName, isErrno } from '../../base/errno.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { GpuHandle } from '../../driver/gpuHandle.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { FaultKind } from '../../memory/faultKind.js';
import { type Vma, VmFlag } from '../../mm/area/vma.js';
import { FaultStep } from '../../mm/fault/fault.js';
import type { Mm } from '../../mm/process/mm.js';
import { PteKind, pteFromWord, pteKind } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';
import { allows, areaChanges, isMirrored, onlyMirrorOf } from './faultSubject.js';

/** A fault under way on memory that its area allows to be accessed so. */
interface LegalFault {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly flags: number;
  readonly write: boolean;
  /** Calls that may change areas, and copies that failed, before it began. */
  readonly disturbances: number;
}

/**
 * Implied by what a program may rely on: memory that is mapped can be accessed, whoever migrates or evicts it meanwhile. Judged are faults on private
 * anonymous memory without a handler in user space, during which nobody has called what could change an area; where an allocation or a copy has been
 * made to fail nothing is said.
 */
class LegalFaults implements Checker {
  private disturbances = 0;
  /** By task. */
  private readonly open = new Map<number, LegalFault>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, page: number, b: number, c: number, d: number): void {
    switch (step) {
      case DriverStep.fault:
        if (task !== null) this.beginOfGpu(task, page as Vpn, b !== 0, c);
        return;
      case DriverStep.faultDone:
        if (c === Errno.OK && task !== null) this.open.delete(task.id);
        return;
      case DriverStep.memoryFault:
        if (task !== null) this.endOfGpu(task, page as Vpn, b, c, d);
        return;
      case DriverStep.prefetchDropped:
        if (task !== null) this.open.delete(task.id);
        return;
      case FaultStep.cpuFault:
        if (task !== null) this.begin(task, this.machine.coordinator.processes.find(c), page as Vpn, b !== 0);
        return;
      case FaultStep.cpuFaultDone:
        if (task !== null) this.end(task, page as Vpn, b, 'the CPU');
        return;
      default:
        this.disturbances++;
    }
  }

  private begin(task: Task, mm: Mm | null, page: Vpn, write: boolean): void {
    const vma = mm?.vmas.find(page) ?? null;
    if (mm === null || vma === null || !isPlain(vma) || !allows(vma, write)) return;
    this.open.set(task.id, { mm, vma, flags: vma.flags, write, disturbances: this.disturbances });
  }

  /** A fault of a device that mirrors several processes does not say at once whose it is, and is not judged. */
  private beginOfGpu(task: Task, page: Vpn, write: boolean, device: number): void {
    const gpu = this.machine.coordinator.gpus[device];
    const vm = onlyMirrorOf(this.machine.coordinator, gpu);
    if (vm !== null && isMirrored(vm, gpu, page)) this.begin(task, vm.mm, page, write);
  }

  private endOfGpu(task: Task, page: Vpn, device: number, errno: number, id: number): void {
    const gpu = this.machine.coordinator.gpus[device];
    const vm = onlyMirrorOf(this.machine.coordinator, gpu);
    const write = this.open.get(task.id)?.write ?? false;
    const isJudged = vm !== null && vm.mm.id === id && isMirrored(vm, gpu, page);
    if (isJudged && this.mayAccess(vm, gpu, page, write)) this.end(task, page, errno, `gpu${device}`);
    else this.open.delete(task.id);
  }

  /** The process has not said that the device may not. */
  private mayAccess(vm: SvmVm, gpu: GpuHandle, page: Vpn, write: boolean): boolean {
    const { placement } = this.machine.coordinator.gpuFaults.parts;
    return typeof placement.resolve(vm, gpu, page, write, FaultKind.Demand) !== 'number';
  }

  private end(task: Task, page: Vpn, errno: number, who: string): void {
    const fault = this.open.get(task.id);
    if (fault === undefined) return;
    this.open.delete(task.id);
    if (errno !== Errno.EFAULT && errno !== Errno.EPERM) return;
    if (this.isStillLegal(fault, page)) {
      const what = isErrno(errno) ? errnoName(errno) : errno;
      this.sink.report('L4', `a legal access of ${who} at ${formatVpn(page)} ends with ${what}`);
    }
  }

  private isStillLegal({ mm, vma, flags, disturbances }: LegalFault, page: Vpn): boolean {
    const { coordinator } = this.machine;
    if (disturbances !== this.disturbances || coordinator.kernel.hasInjector) return false;
    if (coordinator.mirror !== null || coordinator.processes.find(mm.id) !== mm || mm.users === 0)
      return false;
    if (mm.vmas.find(page) !== vma || vma.flags !== flags) return false;
    const kind = pteKind(pteFromWord(mm.pageTable.get(page)));
    return kind !== PteKind.HwPoison && kind !== PteKind.Marker;
  }
}

function isPlain(vma: Vma): boolean {
  return vma.isAnonymous && !vma.isSpecial && (vma.flags & VmFlag.UffdMissing) === 0;
}

export const legalFaults: CheckerKind = {
  id: 'L4',
  title: 'a fault on memory that its area allows to be accessed does not fail with -EFAULT or -EPERM',
  isCheap: true,
  steps: [
    DriverStep.fault,
    DriverStep.faultDone,
    DriverStep.memoryFault,
    DriverStep.prefetchDropped,
    DriverStep.copyFailed,
    FaultStep.cpuFault,
    FaultStep.cpuFaultDone,
    ...areaChanges,
  ],
  make: (machine, sink) => new LegalFaults(machine, sink),
};
