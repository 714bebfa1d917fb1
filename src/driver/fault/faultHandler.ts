/** Serves GPU faults: finds the range, migrates its pages if policy says so, maps them for DMA and binds them. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import type { GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { Kernel } from '../../mm/kernel.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import { isReadOnly, type Placed } from '../attributes/placement.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';
import type { DriverVa } from '../vmBind/driverVa.js';
import { FaultPath, type FaultPathCosts } from './faultPath.js';
import type { FaultRecovery } from './faultRecovery.js';
import {
  type FaultRequest,
  type FaultWorld,
  GET_PAGES,
  GpuFault,
  type Patience,
  RETRY,
  type Round,
} from './gpuFault.js';
import type { RangeBinding } from './rangeBinding.js';
import { findOrInsertRange } from './rangeLookup.js';
import type { RangeMigration } from './rangeMigration.js';
import type { RangePlacement } from './rangePlacement.js';

/** Rounds after which a fault that never settles is given up; the kernel has no such bound. */
const ROUNDS_MAX = 10_000;
/** Attempts at migration of a fault that works nowhere but in the device's memory. */
const ATOMIC_TRIES = 3;

export interface FaultHandlerConfig {
  /** Pages that have migrated stay on the device at least this long. */
  readonly timesliceNs: number;
  /** The same where an atomic needs them there. @kernel atomic_svm_timeslice_ms */
  readonly atomicTimesliceNs: number;
  /** Below this many pages a range is only made where all pages are there. */
  readonly checkPagesThreshold: number;
  /** None unless given. */
  readonly pathCosts?: FaultPathCosts;
}

/** The steps that a fault is made of. */
export interface FaultParts {
  readonly placement: RangePlacement;
  readonly migration: RangeMigration;
  readonly binding: RangeBinding;
  readonly recovery: FaultRecovery;
}

/** @kernel xe_svm_handle_pagefault */
export class GpuFaultHandler {
  /** Told of each fault on a mirror that was served, while no lock is held; may not sleep. */
  onServed: ((fault: GpuFault) => void) | null = null;

  constructor(
    private readonly kernel: Kernel,
    readonly parts: FaultParts,
    private readonly config: FaultHandlerConfig,
    private readonly world: FaultWorld,
  ) {}

  /**
   * OK: the access may be tried again. Errors: -EFAULT (no mapping), -EPERM (a store to a read-only mapping), -EACCES (an atomic that the
   * device may not or cannot do there), -ENOMEM, -EBUSY (it never settled), -ENODEV (the device has left the mirror), -ENOENT (the mirror is
   * closed), -EINVAL (no range fits there: its mapping is smaller than the smallest chunk).
   */
  *handle(
    vm: SvmVm,
    gpu: GpuHandle,
    page: Vpn,
    write: boolean,
    kind: FaultKind = FaultKind.Demand,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    if (sched.reach(DriverStep.fault, page, write ? 1 : 0, gpu.index)) yield STEP;
    if (!vm.vmLock.beginRead()) yield PARK;
    // What was said of memory that has gone goes with its ranges, and must not be taken for what is there now.
    if (vm.collector.hasWork) yield* vm.collector.collectFirst();
    const placed = this.resolve(vm, gpu, page, write, kind);
    let fault: GpuFault | null = null;
    let errno: Errno;
    if (typeof placed === 'number') errno = placed;
    else {
      fault = this.begin({ vm, gpu, page, write, kind, isPrefetch: false, ...placed });
      errno = yield* this.serveDemand(fault);
    }
    vm.vmLock.readUnlock();
    sched.at(DriverStep.faultDone, page, gpu.index, errno, sched.now() - startedNs);
    if (errno !== Errno.OK) this.noteFailure(vm, gpu, page, kind, errno);
    else if (fault?.onMirror === true) this.onServed?.(fault);
    return errno;
  }

  /** Only who mirrors the memory is told what it may do there. Errors: those of {@link mayServe} and of {@link RangePlacement.resolve}. */
  private resolve(vm: SvmVm, gpu: GpuHandle, page: Vpn, write: boolean, kind: FaultKind): Placed | Errno {
    const refused = this.mayServe({ vm, gpu });
    return refused === Errno.OK ? this.parts.placement.resolve(vm, gpu, page, write, kind) : refused;
  }

  /** What devices may only load from is prefetched for loads. */
  begin(request: FaultRequest): GpuFault {
    const { vm, page, isPrefetch } = request;
    const loadsOnly = isPrefetch && isReadOnly(vm.attributes?.shared.get(page));
    const allowed = loadsOnly ? { ...request, write: false, readOnly: true } : request;
    return new GpuFault(allowed, this.patienceFor(request), this.world);
  }

  /** An atomic has more attempts at migration than others, which can do without. */
  private patienceFor({ devmemOnly }: Placed): Patience {
    const { timesliceNs, atomicTimesliceNs } = this.config;
    if (!devmemOnly) return { tries: 1, timesliceNs };
    return { tries: ATOMIC_TRIES, timesliceNs: Math.max(timesliceNs, atomicTimesliceNs) };
  }

  /** With the driver's own time for the way that the fault took. The vm lock is held for read on entry and return. */
  private *serveDemand(fault: GpuFault): Steps<Errno> {
    const errno = yield* this.runRounds(fault);
    const { pathCosts } = this.config;
    if (pathCosts !== undefined) {
      yield* this.kernel.sched.spend(pathCosts[errno === Errno.OK ? fault.path : FaultPath.Refused]);
    }
    return errno;
  }

  /** Errors: as {@link handle}. The vm lock is free on entry and return. */
  *serve(fault: GpuFault): Steps<Errno> {
    if (!fault.vm.vmLock.beginRead()) yield PARK;
    const errno = yield* this.runRounds(fault);
    fault.vm.vmLock.readUnlock();
    return errno;
  }

  /** A prefetch instruction that asks for what cannot be had is dropped; any other access is reported to the process. */
  private noteFailure(vm: SvmVm, gpu: GpuHandle, page: Vpn, kind: FaultKind, errno: Errno): void {
    const step = kind === FaultKind.Prefetch ? DriverStep.prefetchDropped : DriverStep.memoryFault;
    this.kernel.sched.at(step, page, gpu.index, errno, vm.mm.id);
  }

  /** Until it is served or fails. Errors: as {@link handle}. The vm lock is held for read on entry and return. */
  *runRounds(fault: GpuFault): Steps<Errno> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const errno = this.mayServe(fault);
      if (errno !== Errno.OK) return errno;
      const result = yield* this.round(fault);
      if (result !== RETRY) return result;
    }
    return Errno.EBUSY;
  }

  /** The vm lock is held. Errors: -ENODEV, the device has left the mirror; -ENOENT, the mirror is closed. @kernel xe_vm_is_closed_or_banned */
  mayServe({ vm, gpu }: Pick<GpuFault, 'vm' | 'gpu'>): Errno {
    if (!vm.membership.has(gpu)) return Errno.ENODEV;
    return vm.closed ? Errno.ENOENT : Errno.OK;
  }

  private *round(fault: GpuFault): Steps<Round> {
    fault.beginRound();
    if (fault.vm.collector.hasWork) {
      const errno = this.lookAgain(fault, yield* fault.vm.collector.collectFirst());
      if (errno !== Errno.OK) return errno;
    }
    const va = fault.vm.deviceVm(fault.gpu).vaAt(fault.page);
    if (va === null) return Errno.EFAULT;
    if (va.kind !== 'mirror') return yield* this.serveBound(fault, va);
    const found = yield* findOrInsertRange(fault.vm, fault.page, this.context(fault));
    if ('errno' in found) return this.parts.recovery.afterLookup(fault, found.errno);
    const { range } = found;
    this.noteRange(fault, range);
    const part = yield* fault.vm.partOf(range, fault.gpu);
    if (!part.lock.beginLock()) yield PARK;
    const result = yield* this.serveRange(fault, range, part);
    part.lock.unlock();
    fault.vm.gpusvm.rangePut(range);
    return result;
  }

  /**
   * The lock was somebody else's: the device may have left, and the process may have said something else of the memory. Where what it had said is
   * forgotten the fault begins again. The caller of a prefetch says where its pages go. As long as the lock is held now nobody leaves.
   */
  private lookAgain(fault: GpuFault, isForgotten: boolean): Errno {
    const refused = this.mayServe(fault);
    if (refused !== Errno.OK || fault.isPrefetch) return refused;
    const placed = this.parts.placement.resolve(fault.vm, fault.gpu, fault.page, fault.write, fault.kind);
    if (typeof placed === 'number') return placed;
    if (isForgotten || placed.devmemOnly !== fault.devmemOnly) fault.beginAgain(this.patienceFor(placed));
    fault.place(placed);
    return Errno.OK;
  }

  /** Memory that the program has bound by hand; nothing of it moves for a fault. @kernel handle_vma_pagefault */
  private *serveBound(fault: GpuFault, va: DriverVa): Steps<Errno> {
    fault.servedEnd = vpn(va.end);
    if (fault.kind === FaultKind.Atomic && !atomicsWorkOn(fault, va)) return Errno.EACCES;
    return yield* fault.vm.deviceVm(fault.gpu).serveFault(va);
  }

  /** @kernel drm_gpusvm_ctx */
  context(fault: GpuFault): GpuSvmContext {
    return {
      checkPagesThreshold: this.config.checkPagesThreshold,
      timesliceNs: fault.timesliceNs,
      owner: this.parts.placement.ownerFor(fault),
      inNotifier: false,
      readOnly: fault.readOnly,
      devmemPossible: true,
      devmemOnly: fault.devmemOnly,
      allowMixed: false,
    };
  }

  /** One round on a range that nobody else serves for this device meanwhile. @kernel __xe_svm_handle_pagefault */
  private *serveRange(fault: GpuFault, range: DriverRange, part: RangeDevice): Steps<Round> {
    const { placement, migration, binding, recovery } = this.parts;
    if (fault.devmemOnly && !range.migrateDevmem) return Errno.EACCES;
    if (!fault.vm.gpusvm.notifierLock.beginRead()) yield PARK;
    if (this.isServedLocked(fault, range, part)) {
      if (fault.path === FaultPath.Present) fault.path = FaultPath.Spurious;
      return Errno.OK;
    }
    const target = this.takeTry(fault) ? placement.targetOf(fault, range, part) : null;
    if (target !== null) {
      const errno = yield* migration.migrate(fault, range, target, this.context(fault));
      recovery.doubleTimeslice(fault);
      // Mixed pages get to one place by get_pages, so that the next attempt gets on.
      if (errno !== Errno.OK) {
        const next = recovery.afterMigrate(fault, errno);
        if (next !== GET_PAGES) return next;
      }
    }
    // Valid pages would be taken as they are. @kernel xe_svm_range_migrate_to_smem
    if (placement.mustComeHome(fault, part)) yield* fault.vm.evictRange(range);
    const errno = yield* binding.getPages(fault, range, part, this.context(fault));
    if (errno !== Errno.OK) return recovery.afterGetPages(fault, range, errno);
    if (!placement.worksThere(fault, part)) return yield* this.bringHome(fault, range);
    return recovery.afterBind(fault, yield* binding.bind(fault, range, part));
  }

  /** An atomic got pages on which the device cannot do it. RAM is where the next attempt finds them, or migrates them from. */
  private *bringHome(fault: GpuFault, range: DriverRange): Steps<Round> {
    yield* fault.vm.evictRange(range);
    return this.parts.recovery.afterUseless(fault);
  }

  /** Each round that gets so far is an attempt at migration, also where there is nothing to migrate. @kernel migrate_try_count */
  private takeTry(fault: GpuFault): boolean {
    if (fault.tries === 0) return false;
    fault.tries--;
    return true;
  }

  /** @kernel xe_svm_range_fault_count_stats_incr */
  private noteRange(fault: GpuFault, range: DriverRange): void {
    fault.servedEnd = range.end;
    fault.onMirror = true;
    if (fault.isPrefetch) return;
    this.kernel.sched.at(DriverStep.faultRange, range.start, range.npages, fault.gpu.index);
  }

  /** The notifier lock is held for read, and released here. @kernel xe_svm_range_valid_fault_count_stats_incr */
  private isServedLocked(fault: GpuFault, range: DriverRange, part: RangeDevice): boolean {
    const served = this.parts.placement.isServed(fault, range, part);
    fault.vm.gpusvm.notifierLock.readUnlock();
    if (served && !fault.isPrefetch)
      this.kernel.sched.at(DriverStep.spurious, range.start, range.npages, fault.gpu.index);
    return served;
  }
}

/**
 * In the device's own memory, where there is none, and in RAM if the device does them there; not in the memory of a peer. Nothing that was bound by
 * hand moves to another place.
 */
function atomicsWorkOn({ gpu, devmemOnly }: GpuFault, { isSparse, bo, userptr }: DriverVa): boolean {
  if (isSparse) return true;
  if (bo !== null) return bo.gpu === gpu;
  const ofPeer = userptr?.pages.has(PagesFlag.HasDevmemPages) && userptr.pages.dpagemap !== gpu.dpagemap;
  return !devmemOnly && ofPeer !== true;
}
