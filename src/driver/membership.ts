/** Which devices mirror an address space, and how one joins or leaves while the others, the CPU and invalidations go on. */

import { Errno } from '../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../base/units.js';
import { defaultContext, type GpuSvmContext } from '../drm/gpusvm/gpusvm.js';
import type { GpuSvmNotifier } from '../drm/gpusvm/notifier.js';
import { AllocSite } from '../memory/failureInjector.js';
import type { PageArrayPool } from '../memory/pageArrays.js';
import { STEP, type Steps } from '../sim/steps.js';
import type { DriverRange, RangeMembers } from './driverRange.js';
import { DriverStep } from './driverStep.js';
import type { GpuHandle } from './gpuHandle.js';
import type { SvmVm } from './svmVm.js';
import { DeviceVm } from './vmBind/deviceVm.js';
import type { BoMoves } from './vram/boMoves.js';

const inNotifier: GpuSvmContext = { ...defaultContext, inNotifier: true };

/**
 * Joining and leaving hold the vm lock for write, so that no fault of any device is under way, and the svm lock, so that no range comes or goes.
 * Invalidations do go on: the parts of the ranges of one notifier at a time are replaced under the notifier lock for write.
 */
export class Membership implements RangeMembers {
  private members: readonly GpuHandle[];
  private readonly vms: Map<GpuHandle, DeviceVm>;

  constructor(
    private readonly vm: SvmVm,
    gpus: readonly GpuHandle[],
    private readonly arrays: PageArrayPool,
    private readonly moves: BoMoves,
  ) {
    this.members = gpus;
    this.vms = new Map(gpus.map((gpu) => [gpu, new DeviceVm(vm, gpu, arrays, moves)]));
  }

  /** In the order of their numbers. */
  get gpus(): readonly GpuHandle[] {
    return this.members;
  }

  get sharesFaults(): boolean {
    return this.vm.config.sharesFaults;
  }

  get deviceVms(): ReadonlyMap<GpuHandle, DeviceVm> {
    return this.vms;
  }

  has(gpu: GpuHandle): boolean {
    return this.members.includes(gpu);
  }

  /**
   * The device gets a part in every range, and serves faults from now on; with `mirrorAll` all addresses are a mirror for it. Errors: -EEXIST,
   * -ENOENT (the mirror is closed), -ENOMEM; after an error no device sees anything else than before.
   */
  *join(gpu: GpuHandle, mirrorAll: boolean): Steps<Errno> {
    const { vmLock } = this.vm;
    yield* vmLock.write();
    let errno: Errno = this.has(gpu) ? Errno.EEXIST : Errno.OK;
    if (this.vm.closed) errno = Errno.ENOENT;
    if (errno === Errno.OK) errno = yield* this.admit(gpu, mirrorAll);
    vmLock.writeUnlock();
    return errno;
  }

  /**
   * On return no access of the device reaches the address space, and nothing of it is mapped for the device; its faults end with -ENODEV. Pages in
   * its memory stay there. Errors: -ENODEV (it is none of them), -ENOENT (the mirror is closed).
   */
  *leave(gpu: GpuHandle): Steps<Errno> {
    const { vmLock } = this.vm;
    yield* vmLock.write();
    let errno: Errno = this.has(gpu) ? Errno.OK : Errno.ENODEV;
    if (this.vm.closed) errno = Errno.ENOENT;
    if (errno === Errno.OK) yield* this.expel(gpu);
    vmLock.writeUnlock();
    return errno;
  }

  private *admit(gpu: GpuHandle, mirrorAll: boolean): Steps<Errno> {
    const { svmLock, collector, mm, kernel } = this.vm;
    yield* collector.collectLocked();
    const gpus = [...this.members, gpu].sort((a, b) => a.index - b.index);
    yield* svmLock.lock();
    const errno = yield* this.growRanges(gpu, gpus);
    if (errno !== Errno.OK) yield* this.shrinkRanges(gpu);
    svmLock.unlock();
    if (errno !== Errno.OK) return errno;
    const deviceVm = new DeviceVm(this.vm, gpu, this.arrays, this.moves);
    if (mirrorAll) deviceVm.mirrorAll();
    this.vms.set(gpu, deviceVm);
    this.members = gpus;
    kernel.sched.at(DriverStep.joined, gpu.index, gpus.length, mm.id);
    return Errno.OK;
  }

  private *expel(gpu: GpuHandle): Steps<void> {
    const { svmLock, collector, mm, kernel, attributes } = this.vm;
    yield* collector.collectLocked();
    this.members = this.members.filter((other) => other !== gpu);
    yield* svmLock.lock();
    yield* this.vm.detach([gpu]);
    yield* this.shrinkRanges(gpu);
    yield* this.vm.deviceVm(gpu).close();
    this.vms.delete(gpu);
    gpu.port.removeSpace(this.vm.space);
    svmLock.unlock();
    // What was said to its mirror goes with the mirror.
    attributes?.mirrors[gpu.index].reset(0 as Vpn, TASK_SIZE_PAGES as Vpn);
    kernel.sched.at(DriverStep.left, gpu.index, this.members.length, mm.id);
  }

  /** The arrays are allocated before the notifier lock is taken, under which memory may not be reclaimed. -ENOMEM half-way leaves some ranges grown. */
  private *growRanges(gpu: GpuHandle, gpus: readonly GpuHandle[]): Steps<Errno> {
    const { gpusvm, kernel } = this.vm;
    for (const { value: notifier } of gpusvm.notifiers) {
      const ranges = rangesOf(notifier);
      for (const _ of ranges) if (kernel.allocationFails(AllocSite.MirrorObject)) return Errno.ENOMEM;
      const prepared = ranges.map((range) => range.prepare(gpus));
      if (kernel.sched.reach(DriverStep.growRanges, notifier.start, ranges.length, gpu.index)) yield STEP;
      yield* gpusvm.notifierLock.write();
      ranges.forEach((range, i) => {
        range.install(prepared[i]);
      });
      gpusvm.notifierLock.writeUnlock();
    }
    return Errno.OK;
  }

  /** The device's translations are gone; its DMA mappings go here, with its parts. A range that is left without parts goes too: nobody mirrors it. */
  private *shrinkRanges(gpu: GpuHandle): Steps<void> {
    const { gpusvm, kernel } = this.vm;
    const empty: DriverRange[] = [];
    for (const { value: notifier } of gpusvm.notifiers) {
      const ranges = rangesOf(notifier);
      if (kernel.sched.reach(DriverStep.shrinkRanges, notifier.start, ranges.length, gpu.index)) yield STEP;
      yield* gpusvm.notifierLock.write();
      for (const range of ranges) {
        yield* this.shrink(range, gpu);
        if (range.numPages === 0) empty.push(range);
      }
      gpusvm.notifierLock.writeUnlock();
    }
    for (const range of empty) yield* gpusvm.rangeRemove(range);
  }

  /** The notifier lock is held for write. */
  private *shrink(range: DriverRange, gpu: GpuHandle): Steps<void> {
    const part = range.find(gpu);
    if (part === null) return;
    part.bound = false;
    yield* this.vm.dma.unmapPages(this.vm.gpusvm, part.pages, range.npages, inNotifier);
    range.install(range.parts.filter((other) => other !== part));
  }
}

/** All of them are of this driver. */
function rangesOf(notifier: GpuSvmNotifier): DriverRange[] {
  return [...notifier.rangesIn(notifier.start, notifier.end)] as DriverRange[];
}
