/** Serves GPU faults: finds the range, migrates its pages if policy says so, maps them for DMA and binds them. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import type { BindRequest } from '../device/gpuPort.js';
import { inSpace } from '../device/gpuSpace.js';
import { defaultContext, type GpuSvmContext } from '../drm/gpusvm/gpusvm.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import type { GpuSvmRange } from '../drm/gpusvm/range.js';
import type { ScanMm } from '../drm/gpusvm/scanMm.js';
import { FaultKind } from '../memory/faultKind.js';
import type { PageArrayId, PageArrayPool } from '../memory/pageArrays.js';
import type { Kernel } from '../mm/kernel.js';
import type { PagemapOwner } from '../mm/migrate/devPagemap.js';
import { LockClass } from '../sim/lockOrder.js';
import { RwLock } from '../sim/rwLock.js';
import { STEP, type Steps } from '../sim/steps.js';
import { type AccessKind, type Linked, placementFor } from './attributes/placement.js';
import { DriverRange, type RangeDevice } from './driverRange.js';
import { DriverStep, MigrateTrigger } from './driverStep.js';
import type { GpuHandle } from './gpuHandle.js';
import { type PlacementPolicy, preferDevice } from './placement.js';
import type { SvmVm } from './svmVm.js';
import type { DriverVa } from './vmBind/driverVa.js';

const migrateLockClass = new LockClass('migration lock');

/** Rounds after which a fault that never settles is given up; the kernel has no such bound. */
const ROUNDS_MAX = 10_000;
/** Evictions of one range that may run out of time before a prefetch to RAM fails. */
const EVICT_ATTEMPTS = 10;
/** A timeslice doubles with each retry, up to this. */
const TIMESLICE_MAX_NS = 100_000_000;

export interface FaultHandlerConfig {
  readonly timesliceNs: number;
  /** Below this many pages a range is only made where all pages are there. */
  readonly checkPagesThreshold: number;
}

/** One fault on its way. */
interface Fault {
  readonly vm: SvmVm;
  readonly gpu: GpuHandle;
  readonly owner: PagemapOwner;
  readonly page: Vpn;
  readonly write: boolean;
  /** Attempts at migration left. */
  tries: number;
  timesliceNs: number;
  /** The area may not be written: map it for reading, as the fault asked no more. */
  readOnly: boolean;
  readonly policy: PlacementPolicy;
  /** Pages count as served only where the policy wants them: a prefetch, or atomics, which work nowhere else. */
  readonly isStrict: boolean;
  readonly isPrefetch: boolean;
  /** Pages that cannot be where the policy wants them end the access. */
  readonly isAtomic: boolean;
  /** One past the range that was served, once known. */
  servedEnd: Vpn;
}

/** Begin again from the range look-up. */
const RETRY = 'retry';
type Round = Errno | typeof RETRY;

function isPolicy(result: PlacementPolicy | Errno): result is PlacementPolicy {
  return typeof result !== 'number';
}

/** @kernel xe_svm_handle_pagefault */
export class GpuFaultHandler {
  /** Read: a migration. Write: one that was in the way of another, so that it has the field to itself. */
  private readonly migrateLock: RwLock;

  constructor(
    private readonly kernel: Kernel,
    private readonly scan: ScanMm,
    private readonly arrays: PageArrayPool,
    private readonly policy: PlacementPolicy,
    private readonly config: FaultHandlerConfig,
  ) {
    this.migrateLock = new RwLock(kernel.sched, 'migration lock', migrateLockClass);
  }

  /**
   * OK: the access may be tried again. Errors: -EFAULT (no mapping), -EPERM (a store to a read-only mapping), -ENOMEM, -EBUSY (it never
   * settled), -ENODEV (the device has left the mirror).
   */
  *handle(
    vm: SvmVm,
    gpu: GpuHandle,
    owner: PagemapOwner,
    page: Vpn,
    write: boolean,
    kind: FaultKind = FaultKind.Demand,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    if (sched.reach(DriverStep.fault, page, write ? 1 : 0, gpu.index)) yield STEP;
    const isAtomic = kind === FaultKind.Atomic;
    const policy = this.policyFor(vm, gpu, page, isAtomic ? 'atomic' : write ? 'store' : 'load');
    const errno = isPolicy(policy)
      ? yield* this.serveFault(this.newFault(vm, gpu, owner, page, write, policy, false, isAtomic))
      : policy;
    sched.at(DriverStep.faultDone, page, gpu.index, errno, sched.now() - startedNs);
    if (errno !== Errno.OK) this.noteFailure(vm, gpu, page, kind, errno);
    return errno;
  }

  /** A prefetch instruction that asks for what cannot be had is dropped; any other access is reported to the process. */
  private noteFailure(vm: SvmVm, gpu: GpuHandle, page: Vpn, kind: FaultKind, errno: Errno): void {
    const step = kind === FaultKind.Prefetch ? DriverStep.prefetchDropped : DriverStep.memoryFault;
    this.kernel.sched.at(step, page, gpu.index, errno, vm.mm.id);
  }

  /** Whether devices own pages together, and so use each other's as they are. */
  readonly linked: Linked = (a, b) => a === b || this.owners[a] === this.owners[b];

  /** By device; set as the devices are made. */
  readonly owners: PagemapOwner[] = [];

  private policyFor(vm: SvmVm, gpu: GpuHandle, page: Vpn, access: AccessKind): PlacementPolicy | Errno {
    if (vm.attributes === null) return this.policy;
    return placementFor(vm.attributes, gpu, page, access, this.linked) ?? this.policy;
  }

  private *serveFault(fault: Fault): Steps<Errno> {
    yield* fault.vm.vmLock.read();
    const errno = yield* this.runRounds(fault);
    fault.vm.vmLock.readUnlock();
    return errno;
  }

  /**
   * Migrates the range at `page` to where the policy wants it, the GPU's memory unless told, and binds it there, as a fault with that placement
   * would. Returns the page after the range, or an errno; -EBUSY from migration leaves the pages in RAM and is no error.
   * @kernel prefetch_ranges
   */
  *prefetchRange(
    vm: SvmVm,
    gpu: GpuHandle,
    owner: PagemapOwner,
    page: Vpn,
    policy: PlacementPolicy = preferDevice(gpu.index),
    write = true,
  ): Steps<Vpn | Errno> {
    const fault = this.newFault(vm, gpu, owner, page, write, policy, true);
    const errno = yield* this.serveFault(fault);
    return errno === Errno.OK ? fault.servedEnd : errno;
  }

  /** Brings the range at `page` to RAM. Returns the page after it; a page without a range is in RAM or nowhere. */
  *prefetchToRam(vm: SvmVm, page: Vpn): Steps<Vpn | Errno> {
    yield* vm.vmLock.read();
    yield* vm.svmLock.lock();
    const range = vm.gpusvm.findRange(page);
    if (range !== null) vm.gpusvm.rangeGet(range);
    vm.svmLock.unlock();
    const result = range === null ? vpn(page + 1) : yield* this.evictPatiently(vm, range);
    if (range !== null) vm.gpusvm.rangePut(range);
    vm.vmLock.readUnlock();
    return result;
  }

  /** Others may invalidate the range for as long as an eviction tries; a few such times are no reason to give up. */
  private *evictPatiently(vm: SvmVm, range: GpuSvmRange): Steps<Vpn | Errno> {
    let errno: Errno = Errno.ETIME;
    for (let attempt = 0; errno === Errno.ETIME && attempt < EVICT_ATTEMPTS; attempt++) {
      errno = yield* vm.gpusvm.rangeEvict(range);
    }
    return errno === Errno.OK ? range.end : errno;
  }

  private newFault(
    vm: SvmVm,
    gpu: GpuHandle,
    owner: PagemapOwner,
    page: Vpn,
    write: boolean,
    policy: PlacementPolicy,
    isPrefetch: boolean,
    isAtomic = false,
  ): Fault {
    return {
      vm,
      gpu,
      owner,
      page,
      write,
      policy,
      isPrefetch,
      isAtomic,
      isStrict: isPrefetch || isAtomic,
      tries: 1,
      timesliceNs: this.config.timesliceNs,
      readOnly: false,
      servedEnd: page,
    };
  }

  private *runRounds(fault: Fault): Steps<Errno> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!fault.vm.membership.has(fault.gpu)) return Errno.ENODEV;
      if (fault.vm.closed) return Errno.ENOENT;
      const result = yield* this.round(fault);
      if (result !== RETRY) return result;
    }
    return Errno.EBUSY;
  }

  private *round(fault: Fault): Steps<Round> {
    yield* this.collectGarbage(fault.vm);
    // The device may have left while the lock was somebody else's; as long as it is held nobody leaves.
    if (!fault.vm.membership.has(fault.gpu)) return Errno.ENODEV;
    const va = fault.vm.deviceVm(fault.gpu).vaAt(fault.page);
    if (va === null) return Errno.EFAULT;
    if (va.kind !== 'mirror') return yield* this.serveBound(fault, va);
    const found = yield* this.findRange(fault);
    if ('errno' in found) return this.rangeError(fault, found.errno);
    const { range } = found;
    fault.servedEnd = range.end;
    const part = yield* fault.vm.partOf(range, fault.gpu);
    yield* part.lock.lock();
    const result = yield* this.serve(fault, range, part);
    part.lock.unlock();
    fault.vm.gpusvm.rangePut(range);
    return result;
  }

  /** Memory that the program has bound by hand; nothing of it moves for a fault. */
  private *serveBound(fault: Fault, va: DriverVa): Steps<Errno> {
    fault.servedEnd = vpn(va.end);
    // Atomics work in the device's own memory only, and nothing that was bound by hand moves there.
    if (fault.isAtomic && va.bo?.gpu !== fault.gpu) return Errno.EACCES;
    return yield* fault.vm.deviceVm(fault.gpu).serveFault(va);
  }

  /** The vm lock is held for read on entry and return. */
  private *collectGarbage(vm: SvmVm): Steps<void> {
    if (!vm.collector.hasWork) return;
    vm.vmLock.readUnlock();
    yield* vm.vmLock.write();
    yield* vm.collector.collectLocked();
    vm.vmLock.downgrade();
  }

  /** With a reference, so that it survives outside the svm lock. */
  private *findRange(fault: Fault): Steps<{ range: DriverRange } | { errno: Errno }> {
    const { vm, page } = fault;
    const bound = vm.spanAround(page);
    const { start, end } = vm.attributes?.uniform(page, vpn(bound.start), vpn(bound.end)) ?? {
      start: vpn(bound.start),
      end: vpn(bound.end),
    };
    yield* vm.svmLock.lock();
    const found = yield* vm.gpusvm.rangeFindOrInsert(page, start, end, this.context(fault));
    if ('range' in found) vm.gpusvm.rangeGet(found.range);
    vm.svmLock.unlock();
    if ('errno' in found) return found;
    assert(found.range instanceof DriverRange, 'a range of another driver');
    return { range: found.range };
  }

  /** A load of a read-only area is legal: it is mapped for reading. */
  private rangeError(fault: Fault, errno: Errno): Round {
    if (errno === Errno.EPERM && !fault.write && !fault.readOnly) {
      fault.readOnly = true;
      return RETRY;
    }
    return errno === Errno.ENOENT ? Errno.EFAULT : errno;
  }

  private context(fault: Fault): GpuSvmContext {
    return {
      ...defaultContext,
      checkPagesThreshold: this.config.checkPagesThreshold,
      timesliceNs: fault.timesliceNs,
      owner: fault.owner,
      readOnly: fault.readOnly,
      devmemPossible: true,
    };
  }

  private *serve(fault: Fault, range: DriverRange, part: RangeDevice): Steps<Round> {
    if (fault.isAtomic && !range.migrateDevmem) return Errno.EACCES;
    if (yield* this.isServed(fault, range, part)) return Errno.OK;
    const target = this.targetOf(fault, range, part);
    if (target !== null && fault.tries > 0) {
      fault.tries--;
      const errno = yield* this.migrateRange(fault, range, target);
      if (errno !== Errno.OK) return this.retry(fault, errno);
    }
    if (fault.policy.toSystem === true && fault.tries > 0) {
      fault.tries--;
      yield* fault.vm.gpusvm.rangeEvict(range);
    }
    // Mapped for loads when the area was read-only: stores need other addresses.
    if (!fault.readOnly && part.pages.isMappedReadOnly) yield* fault.vm.unmapParts(range, [part]);
    const errno = yield* this.getPages(fault, range, part);
    if (errno !== Errno.OK) return yield* this.recover(fault, range, errno);
    const bindErrno = yield* this.bind(fault, range, part);
    return bindErrno === Errno.EAGAIN ? this.retry(fault, bindErrno) : bindErrno;
  }

  /** Another fault has bound the range already. @kernel xe_svm_range_is_valid */
  private *isServed(fault: Fault, range: DriverRange, part: RangeDevice): Steps<boolean> {
    const { notifierLock } = fault.vm.gpusvm;
    yield* notifierLock.read();
    const isThere = !fault.isStrict || fault.tries === 0 || this.targetOf(fault, range, part) === null;
    const served = part.bound && (!fault.write || part.boundWritable) && isThere;
    notifierLock.readUnlock();
    if (served) this.kernel.sched.at(DriverStep.spurious, range.start, range.npages, fault.gpu.index);
    return served;
  }

  /** The device to migrate to, or null when the pages should stay or are there. @kernel xe_svm_range_needs_migrate_to_vram */
  private targetOf(fault: Fault, range: DriverRange, part: RangeDevice): GpuHandle | null {
    if (!range.migrateDevmem || fault.readOnly) return null;
    const target = fault.policy.target(fault);
    if (target === null) return null;
    const { pages } = part;
    const isThere = pages.has(PagesFlag.HasDevmemPages) && pages.dpagemap === target.dpagemap;
    return isThere ? null : target;
  }

  private retry(fault: Fault, errno: Errno): Round {
    fault.timesliceNs = Math.min(fault.timesliceNs * 2, TIMESLICE_MAX_NS);
    this.kernel.sched.at(DriverStep.retry, fault.page, fault.gpu.index, errno);
    return RETRY;
  }

  /** The CPU's mapping changed under us, or pages lie in places that do not mix: look again. */
  private *recover(fault: Fault, range: DriverRange, errno: Errno): Steps<Round> {
    if (errno === Errno.EOPNOTSUPP) yield* fault.vm.gpusvm.rangeEvict(range);
    else if (errno === Errno.EFAULT || errno === Errno.EPERM) return this.recheckArea(fault, range, errno);
    else if (errno !== Errno.EBUSY) return errno;
    return this.retry(fault, errno);
  }

  /**
   * The error may concern another page of the range than the one that was accessed: a range that reaches beyond its area, whose other part
   * has other rights now, makes way for smaller ones. The kernel's driver tries such a range again for ever.
   */
  private recheckArea(fault: Fault, range: DriverRange, errno: Errno): Round {
    const vma = fault.vm.mm.vmas.find(fault.page);
    // Without an area the next look-up fails.
    if (vma === null) return this.retry(fault, errno);
    if (!vma.isReadable || (fault.write && !vma.isWritable)) return errno;
    if (range.start < vma.start || range.end > vma.end) fault.vm.collector.add(range);
    return this.retry(fault, errno);
  }

  /**
   * Brings the range's pages to `target`. Two devices that migrate the same span each hold pages that the other needs; the one that finds
   * itself blocked waits until nobody else migrates, brings all pages to RAM, and tries once more.
   * @kernel xe_svm_alloc_vram
   */
  *migrateRange(fault: Fault, range: DriverRange, target: GpuHandle): Steps<Errno> {
    yield* this.migrateLock.read();
    let errno = yield* this.tryMigrate(fault, range, target);
    this.migrateLock.readUnlock();
    if (errno !== Errno.EBUSY) return errno;
    this.kernel.sched.at(DriverStep.migrateBusy, range.start, range.npages, target.index);
    yield* this.migrateLock.write();
    errno = yield* fault.vm.gpusvm.rangeEvict(range);
    if (errno === Errno.OK) errno = yield* this.tryMigrate(fault, range, target);
    this.migrateLock.writeUnlock();
    return errno;
  }

  private *tryMigrate(fault: Fault, range: DriverRange, target: GpuHandle): Steps<Errno> {
    const { mm, gpusvm } = fault.vm;
    const { dpagemap } = target;
    if (dpagemap === null) return Errno.ENODEV;
    const where = yield* this.scan.scan(gpusvm, range, fault.owner, dpagemap);
    if (where === 'equal') return Errno.OK;
    if (fault.policy.onlySystemPages && (where === 'other' || where === 'mixed-device')) return Errno.OK;
    // Who prefetches a span has said so of all of it.
    if (!fault.isPrefetch) {
      const { GpuFault } = MigrateTrigger;
      this.kernel.sched.at(DriverStep.migrateStart, range.start, range.npages, mm.id, GpuFault);
    }
    if (this.kernel.sched.reach(DriverStep.migrate, range.start, range.npages, target.index)) yield STEP;
    return yield* dpagemap.populateMm(mm, range.start, range.end, fault.timesliceNs);
  }

  private getPages(fault: Fault, range: DriverRange, part: RangeDevice): Steps<Errno> {
    const { gpusvm, dma } = fault.vm;
    const { interval } = range.notifier;
    return dma.getPages(gpusvm, part.pages, interval, range.start, range.end, this.context(fault));
  }

  /**
   * The commit rule: under the notifier lock the pages must be valid at the moment that the device's entries are published. -EAGAIN when they
   * are not. Publishing is sending the request: whatever an invalidation sends to the device afterwards takes effect after it.
   */
  private *bind(fault: Fault, range: DriverRange, part: RangeDevice): Steps<Errno> {
    const { gpusvm, dma } = fault.vm;
    const { sched } = this.kernel;
    const { gpu } = fault;
    // Before the lock: waiting for an array may not hold up an invalidation.
    const array = yield* this.arrays.borrow();
    yield* gpusvm.notifierLock.read();
    const isValid = dma.pagesValid(gpusvm, part.pages);
    if (isValid) if (sched.reach(DriverStep.bind, range.start, range.npages, gpu.index)) yield STEP;
    const { bound, boundWritable } = part;
    const request = isValid ? this.publish(fault, range, part, array) : null;
    gpusvm.notifierLock.readUnlock();
    const errno = request === null ? Errno.EAGAIN : yield* gpu.port.finishBind(request);
    if (request !== null) part.endBind();
    this.arrays.giveBack(array);
    if (request !== null && errno !== Errno.OK) yield* this.retract(fault, part, bound, boundWritable);
    sched.at(DriverStep.bound, range.start, range.npages, gpu.index, errno);
    return errno;
  }

  private publish(fault: Fault, range: DriverRange, part: RangeDevice, array: PageArrayId): BindRequest {
    const { dmaAddrs } = part.pages;
    assert(dmaAddrs !== null, 'valid pages have addresses');
    this.arrays.arrays.view(array).set(dmaAddrs);
    part.beginBind();
    part.bound = true;
    part.boundWritable = !fault.readOnly;
    const first = inSpace(fault.vm.space, range.start);
    return fault.gpu.port.startBind(first, range.npages, array, !fault.readOnly);
  }

  /** The device could not bind: it has what it had before, unless an invalidation has taken that away meanwhile. */
  private *retract(fault: Fault, part: RangeDevice, wasBound: boolean, wasWritable: boolean): Steps<void> {
    const { notifierLock } = fault.vm.gpusvm;
    yield* notifierLock.read();
    if (!wasBound) part.bound = false;
    part.boundWritable = wasWritable;
    notifierLock.readUnlock();
  }
}
