/** Prefetch as xe does it: all ranges of a span are found, then filled, one by one or some at once, then bound; where one cannot be filled none is bound. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import type { GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import { FaultKind } from '../../memory/faultKind.js';
import { PAGE_ARRAY_PAGES } from '../../memory/pageArrays.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy } from '../placement.js';
import { pagesIn, walkMapped } from '../spanWalk.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFaultHandler } from './faultHandler.js';
import type { GpuFault } from './gpuFault.js';
import type { Bindable } from './rangeBinding.js';
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
type Wanted = Bindable;

/** Errors of get_pages that say that the memory changed meanwhile, which a program may do. */
const CHANGED: ReadonlySet<Errno> = new Set([Errno.EOPNOTSUPP, Errno.EFAULT, Errno.EPERM]);

/** Errors of the look-up that say the same of one page. */
const LOOK_AGAIN: ReadonlySet<Errno> = new Set([Errno.ENOENT, Errno.EPERM]);

export class SpanPrefetch {
  constructor(
    private readonly faults: GpuFaultHandler,
    /** Ranges side by side migrate together, up to so many pages; 0: one by one. */
    private readonly togetherPages: number,
  ) {}

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
    return this.faults.begin({
      vm,
      gpu,
      page,
      write,
      kind,
      policy,
      isPrefetch: true,
      devmemOnly: false,
      readOnly: !write,
    });
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
    for (let i = 0; i < wanted.length; ) {
      const target = this.joinTarget(wanted[i]);
      const end = target === null ? i + 1 : this.endOfGroup(wanted, i, target);
      // What did not get there with others is tried by itself.
      const isThere =
        target !== null && end - i > 1 && (yield* this.migrateTogether(wanted.slice(i, end), target));
      for (; i < end; i++) {
        const errno = yield* this.fill(wanted[i], isThere);
        if (errno !== Errno.OK) return errno;
      }
    }
    return Errno.OK;
  }

  /** Where the range may migrate to together with others; null where it goes by itself, since some of it may be there or stay on another device. */
  private joinTarget({ fault, range, part }: Wanted): GpuHandle | null {
    if (this.togetherPages === 0 || fault.policy.onlySystemPages) return null;
    const target = this.faults.parts.placement.targetOf(fault, range, part);
    if (target === null || pagesIn(fault.vm.mm, range.start, range.end, target.index) > 0) return null;
    return target;
  }

  /**
   * One past the last of those that migrate with the first: side by side in one area, and to the same device. They fill a naturally aligned block, since
   * a CPU fault later brings home the block of that size around it.
   */
  private endOfGroup(wanted: readonly Wanted[], first: number, target: GpuHandle): number {
    const { start } = wanted[first].range;
    const limit = start + alignedBlock(start, this.endOfRun(wanted, first, target), this.togetherPages);
    let end = first + 1;
    while (end < wanted.length && wanted[end].range.end <= limit) end++;
    return end;
  }

  /** One past the last page that could migrate with the first range. */
  private endOfRun(wanted: readonly Wanted[], first: number, target: GpuHandle): Vpn {
    const { fault, range } = wanted[first];
    const areaEnd = fault.vm.mm.vmas.find(range.start)?.end ?? range.end;
    const limit = Math.min(areaEnd, range.start + this.togetherPages);
    let { end } = range;
    for (let i = first + 1; i < wanted.length; i++) {
      const next = wanted[i].range;
      if (next.start !== end || next.end > limit || this.joinTarget(wanted[i]) !== target) break;
      end = next.end;
    }
    return end;
  }

  /** Whether all of it is there now. */
  private *migrateTogether(group: readonly Wanted[], target: GpuHandle): Steps<boolean> {
    const [{ fault }] = group;
    const ranges = group.map(({ range }) => range);
    const ctx = this.faults.context(fault);
    const { migration } = this.faults.parts;
    return (yield* migration.migrateJoined(fault, ranges, target, ctx)) === Errno.OK;
  }

  private *fill(wanted: Wanted, isThere: boolean): Steps<Errno> {
    const { fault, part } = wanted;
    fault.beginRound();
    if (!part.lock.beginLock()) yield PARK;
    const ctx = this.faults.context(fault);
    const placed = isThere ? Errno.OK : yield* this.place(wanted, ctx);
    const errno = placed === Errno.OK ? yield* this.getPages(wanted, ctx) : placed;
    part.lock.unlock();
    return errno;
  }

  /** The device's lock of the range is held. @kernel xe_svm_range_migrate_to_smem, xe_svm_range_needs_migrate_to_vram */
  private *place({ fault, range, part }: Wanted, ctx: GpuSvmContext): Steps<Errno> {
    const { placement, migration } = this.faults.parts;
    if (placement.mustComeHome(fault, part)) yield* fault.vm.evictRange(range);
    const target = placement.targetOf(fault, range, part);
    if (target === null) return Errno.OK;
    const errno = yield* migration.migrate(fault, range, target, ctx);
    return errno === Errno.OK ? Errno.OK : Errno.ENODATA;
  }

  private *getPages({ fault, range, part }: Wanted, ctx: GpuSvmContext): Steps<Errno> {
    const errno = yield* this.faults.parts.binding.getPages(fault, range, part, ctx);
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
    for (let i = 0; i < wanted.length; ) {
      const { fault, range, part } = wanted[i];
      if (!part.lock.beginLock()) yield PARK;
      const end = lockNeighbours(wanted, i);
      const isAlone = end === i + 1;
      const errno = yield* isAlone ? binding.bind(fault, range, part) : binding.bindRun(wanted.slice(i, end));
      for (let held = end; held > i; ) wanted[--held].part.lock.unlock();
      if (errno !== Errno.OK && errno !== Errno.EAGAIN) return errno;
      i = end;
    }
    return Errno.OK;
  }
}

/**
 * One past the last of those that are bound in one request with the first, whose lock is held; takes their locks. One that a fault is working on is
 * waited for with nothing else in hand, and so begins another request.
 */
function lockNeighbours(wanted: readonly Wanted[], first: number): number {
  const { fault, range } = wanted[first];
  let { end: page } = range;
  let end = first + 1;
  for (; end < wanted.length; end++) {
    const next = wanted[end];
    const fits = next.range.start === page && next.range.end - range.start <= PAGE_ARRAY_PAGES;
    if (!fits || next.fault.readOnly !== fault.readOnly || !next.part.lock.tryLock()) break;
    page = next.range.end;
  }
  return end;
}

/** The largest power of two, up to `most`, that the span has room for and its first page is a multiple of; at least one page. */
function alignedBlock(start: Vpn, end: Vpn, most: number): number {
  let pages = 1;
  while (2 * pages <= most && start % (2 * pages) === 0 && start + 2 * pages <= end) pages *= 2;
  return pages;
}
