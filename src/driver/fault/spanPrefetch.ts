/** Prefetch as xe does it: all ranges of a span are found, then filled, then bound; where one cannot be filled none is bound. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import { FaultKind } from '../../memory/faultKind.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy } from '../placement.js';
import { walkMapped } from '../spanWalk.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFaultHandler } from './faultHandler.js';
import type { GpuFault } from './gpuFault.js';
import { findOrInsertRange } from './rangeLookup.js';

/** What a device is to have before it asks. */
export interface SpanPrefetchRequest {
  readonly vm: SvmVm;
  /** Binds the pages. */
  readonly gpu: GpuHandle;
  readonly start: Vpn;
  readonly end: Vpn;
  /** Where the pages around one should be. */
  policyOf(page: Vpn): PlacementPolicy;
}

/** A range that is not yet where it should be, or not bound; with a reference. @kernel xe_vma_op_prefetch_range */
interface Wanted {
  readonly fault: GpuFault;
  readonly range: DriverRange;
  readonly part: RangeDevice;
}

/** Errors of get_pages that say that the memory changed meanwhile, which a program may do. */
const CHANGED: ReadonlySet<Errno> = new Set([Errno.EOPNOTSUPP, Errno.EFAULT, Errno.EPERM]);

/** Errors of the look-up that say the same of one page. */
const LOOK_AGAIN: ReadonlySet<Errno> = new Set([Errno.ENOENT, Errno.EPERM]);

export class SpanPrefetch {
  constructor(private readonly faults: GpuFaultHandler) {}

  /**
   * Holes, and what a program has bound by hand, are passed over. No error where pages do not get where they should be: what has moved until
   * then stays there, the ranges stay too, and nothing more is bound. Errors: -ENODEV (the device has left the mirror), -ENOENT (the mirror is
   * closed), those of making ranges, -ENOMEM, -EBUSY. @kernel xe_vm_bind_ioctl, DRM_XE_VM_BIND_OP_PREFETCH
   */
  *run(request: SpanPrefetchRequest): Steps<Errno> {
    const { vm, gpu, start, end } = request;
    const { sched } = vm.kernel;
    sched.at(DriverStep.prefetch, start, end - start, gpu.index);
    if (!vm.vmLock.beginRead()) yield PARK;
    // Ranges that have lost pages would only be in the way.
    if (vm.collector.hasWork) yield* vm.collector.collectFirst();
    const refused = this.faults.mayServe(request);
    const errno = refused === Errno.OK ? yield* this.runLocked(request) : refused;
    vm.vmLock.readUnlock();
    const told = errno === Errno.ENODATA ? Errno.OK : errno;
    sched.at(DriverStep.prefetchDone, start, end - start, gpu.index, told);
    return told;
  }

  /** The vm lock is held for read throughout, so that no range goes. -ENODATA: pages did not get where they should be. */
  private *runLocked(request: SpanPrefetchRequest): Steps<Errno> {
    const { vm, start, end } = request;
    const wanted: Wanted[] = [];
    let errno = yield* walkMapped(vm.mm, start, end, (page) => this.find(request, page, wanted));
    if (errno === Errno.OK) errno = yield* this.fillAll(wanted);
    if (errno === Errno.OK) errno = yield* this.bindAll(vm, wanted);
    for (const { range } of wanted) vm.gpusvm.rangePut(range);
    return errno;
  }

  /** Adds the range at `page` unless the device has it where it should be, and returns the page after it. @kernel vm_bind_ioctl_ops_create */
  private *find(request: SpanPrefetchRequest, page: Vpn, wanted: Wanted[]): Steps<Vpn | Errno> {
    const { vm, gpu } = request;
    const deviceVm = vm.deviceVm(gpu);
    if (deviceVm.vaAt(page)?.kind !== 'mirror') return vpn(deviceVm.spanAround(page).end);
    const fault = this.faultAt(request, page);
    // What nobody has touched gets ranges as large as they may be, too.
    const ctx = { ...this.faults.context(fault), checkPagesThreshold: 0 };
    const found = yield* findOrInsertRange(vm, page, ctx);
    // The area has gone or has become read-only since it was looked at.
    if ('errno' in found) return LOOK_AGAIN.has(found.errno) ? page : found.errno;
    const { range } = found;
    const part = yield* vm.partOf(range, gpu);
    if (yield* this.isServed(fault, range, part)) vm.gpusvm.rangePut(range);
    else wanted.push({ fault, range, part });
    return range.end;
  }

  /** One that has the rights of the area: what may not be written is mapped for reading. */
  private faultAt(request: SpanPrefetchRequest, page: Vpn): GpuFault {
    const { vm, gpu } = request;
    const write = vm.mm.vmas.find(page)?.isWritable === true;
    const policy = request.policyOf(page);
    const kind = FaultKind.Demand;
    const fault = this.faults.begin({
      vm,
      gpu,
      page,
      write,
      kind,
      policy,
      isPrefetch: true,
      devmemOnly: false,
    });
    fault.readOnly = !write;
    return fault;
  }

  private *isServed(fault: GpuFault, range: DriverRange, part: RangeDevice): Steps<boolean> {
    const { notifierLock } = fault.vm.gpusvm;
    if (!notifierLock.beginRead()) yield PARK;
    const served = this.faults.parts.placement.isServed(fault, range, part);
    notifierLock.readUnlock();
    return served;
  }

  /** Until the first error. @kernel prefetch_ranges */
  private *fillAll(wanted: readonly Wanted[]): Steps<Errno> {
    for (const { fault, range, part } of wanted) {
      if (!part.lock.beginLock()) yield PARK;
      const errno = yield* this.fill(fault, range, part);
      part.lock.unlock();
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** The device's lock of the range is held. @kernel xe_svm_range_migrate_to_smem, xe_svm_range_needs_migrate_to_vram */
  private *fill(fault: GpuFault, range: DriverRange, part: RangeDevice): Steps<Errno> {
    const { placement, migration, binding } = this.faults.parts;
    const ctx = this.faults.context(fault);
    if (placement.mustComeHome(fault, part)) yield* fault.vm.evictRange(range);
    const target = placement.targetOf(fault, range, part);
    if (target !== null) {
      const errno = yield* migration.migrate(fault, range, target, ctx);
      if (errno !== Errno.OK) return Errno.ENODATA;
    }
    const errno = yield* binding.getPages(fault, range, part, ctx);
    return CHANGED.has(errno) ? Errno.ENODATA : errno;
  }

  /**
   * -ENODATA when one of them was invalidated since it was filled: then none is bound. One that is invalidated later loses its binding, or does
   * not get it. @kernel xe_pt_svm_userptr_pre_commit
   */
  private *bindAll(vm: SvmVm, wanted: readonly Wanted[]): Steps<Errno> {
    const { binding } = this.faults.parts;
    if (!vm.gpusvm.notifierLock.beginRead()) yield PARK;
    const areValid = wanted.every(({ fault, part }) => binding.mayCommit(fault, part));
    vm.gpusvm.notifierLock.readUnlock();
    if (!areValid) return Errno.ENODATA;
    for (const { fault, range, part } of wanted) {
      if (!part.lock.beginLock()) yield PARK;
      const errno = yield* binding.bind(fault, range, part);
      part.lock.unlock();
      if (errno !== Errno.OK && errno !== Errno.EAGAIN) return errno;
    }
    return Errno.OK;
  }
}
