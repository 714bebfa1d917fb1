/** Makes a range's pages valid for a device, and publishes them in the device's page table by the commit rule. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { BindRequest } from '../../device/gpuPort.js';
import { inSpace } from '../../device/gpuSpace.js';
import type { GpuSvmContext, SharedPages } from '../../drm/gpusvm/gpusvm.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { dmaAddrAt, dmaOrder } from '../../memory/dmaAddr.js';
import type { PageArrayId, PageArrayPool } from '../../memory/pageArrays.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import { needVramForAtomic } from '../attributes/placement.js';
import { AtomicMode } from '../attributes/xeMadvise.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import { DriverStep } from '../driverStep.js';
import type { SvmVm } from '../svmVm.js';
import type { VramUse } from '../vram/vramUse.js';
import type { GpuFault } from './gpuFault.js';

/** A range whose pages a fault, or a prefetch, has got for a device. */
export interface Bindable {
  readonly fault: GpuFault;
  readonly range: DriverRange;
  readonly part: RangeDevice;
}

export class RangeBinding {
  constructor(
    private readonly arrays: PageArrayPool,
    private readonly use: VramUse,
  ) {}

  /** Pages that do not mix come home, for the next attempt. Errors: those of `drm_gpusvm_get_pages`. @kernel xe_svm_range_get_pages */
  *getPages(fault: GpuFault, range: DriverRange, part: RangeDevice, ctx: GpuSvmContext): Steps<Errno> {
    // Mapped for loads when the area was read-only: stores need other addresses.
    if (!fault.readOnly && part.pages.isMappedReadOnly) yield* fault.vm.unmapParts(range, [part]);
    const errno = yield* this.mapPages(fault.vm, range, part, ctx);
    if (errno === Errno.EOPNOTSUPP) yield* fault.vm.evictRange(range);
    return errno;
  }

  private *mapPages(vm: SvmVm, range: DriverRange, part: RangeDevice, ctx: GpuSvmContext): Steps<Errno> {
    const { gpusvm, dma, mm } = vm;
    const { interval } = range.notifier;
    if (!range.sharesFaults)
      return yield* dma.getPages(gpusvm, part.pages, mm, interval, range.start, range.end, ctx);
    if (!range.fetchLock.beginLock()) yield PARK;
    const shared = { ...ctx, others: othersOf(range, part, ctx.owner) };
    const errno = yield* dma.getPages(gpusvm, part.pages, mm, interval, range.start, range.end, shared);
    range.fetchLock.unlock();
    return errno;
  }

  /**
   * The commit rule: under the notifier lock the pages must be valid at the moment that the device's entries are published. Errors: -EAGAIN
   * when they are not; -ENOMEM for page tables. @kernel xe_vm_range_rebind
   */
  *bind(fault: GpuFault, range: DriverRange, part: RangeDevice): Steps<Errno> {
    const { gpu, vm } = fault;
    const { sched } = vm.kernel;
    // Before the lock: waiting for an array may not hold up an invalidation.
    const array = this.arrays.tryBorrow() ?? (yield* this.arrays.borrow());
    if (!vm.gpusvm.notifierLock.beginRead()) yield PARK;
    const isValid = this.mayCommit(fault, part);
    if (isValid) if (sched.reach(DriverStep.bind, range.start, range.npages, gpu.index)) yield STEP;
    const { bound, boundWritable } = part;
    const request = isValid ? this.publish(fault, range, part, array) : null;
    vm.gpusvm.notifierLock.readUnlock();
    const errno = request === null ? Errno.EAGAIN : yield* gpu.port.finishBind(request);
    if (request !== null) part.endBind();
    this.arrays.giveBack(array);
    if (request !== null && errno !== Errno.OK) yield* this.retract(fault, part, bound, boundWritable);
    sched.at(DriverStep.bound, range.start, range.npages, gpu.index, errno);
    return errno;
  }

  /**
   * {@link bind} of ranges side by side, all to be read only or all to be written too, of no more pages than a page array has: in one request, as one
   * job writes the entries of all ranges of a prefetch. Where some have been invalidated, or allow other atomics, they are bound one by one. The
   * device's locks of all of them are held. A fault, which has one range, makes no lists and so has {@link bind}. @kernel xe_pt_update_ops_run
   */
  *bindRun(run: readonly Bindable[]): Steps<Errno> {
    const [{ fault }] = run;
    const { gpu, vm } = fault;
    const { sched } = vm.kernel;
    const array = this.arrays.tryBorrow() ?? (yield* this.arrays.borrow());
    if (!vm.gpusvm.notifierLock.beginRead()) yield PARK;
    const isOne = this.mayCommitAsOne(run);
    const { start } = run[0].range;
    const npages = run[run.length - 1].range.end - start;
    if (isOne) if (sched.reach(DriverStep.bind, start, npages, gpu.index)) yield STEP;
    const before = run.map(({ part: { bound, boundWritable } }) => ({ bound, boundWritable }));
    const request = isOne ? this.publishRun(run, array) : null;
    vm.gpusvm.notifierLock.readUnlock();
    const errno = request === null ? Errno.EAGAIN : yield* gpu.port.finishBind(request);
    this.arrays.giveBack(array);
    if (request === null) return yield* this.bindEach(run);
    for (const { part } of run) part.endBind();
    if (errno !== Errno.OK) {
      for (let i = 0; i < run.length; i++)
        yield* this.retract(fault, run[i].part, before[i].bound, before[i].boundWritable);
    }
    sched.at(DriverStep.bound, start, npages, gpu.index, errno);
    return errno;
  }

  /** What is not valid any more is left out. The first other error ends it. */
  private *bindEach(run: readonly Bindable[]): Steps<Errno> {
    for (const { fault, range, part } of run) {
      const errno = yield* this.bind(fault, range, part);
      if (errno !== Errno.OK && errno !== Errno.EAGAIN) return errno;
    }
    return Errno.OK;
  }

  /** The notifier lock is held. */
  private mayCommitAsOne(run: readonly Bindable[]): boolean {
    const [{ fault: first, part: firstPart }] = run;
    const atomics = this.atomicsAllowed(first, firstPart);
    return run.every(
      ({ fault, part }) => this.mayCommit(fault, part) && this.atomicsAllowed(fault, part) === atomics,
    );
  }

  /** Nothing has been invalidated since the pages were mapped; the notifier lock is held. @kernel xe_pt_svm_pre_commit */
  mayCommit({ vm, readOnly }: GpuFault, part: RangeDevice): boolean {
    // Another device's fault may have mapped the pages for this one, and for loads only.
    return vm.dma.pagesValid(vm.gpusvm, part.pages) && (readOnly || !part.pages.isMappedReadOnly);
  }

  /** Publishing is sending the request: whatever an invalidation sends to the device afterwards takes effect after it. */
  publish(fault: GpuFault, range: DriverRange, part: RangeDevice, array: PageArrayId): BindRequest {
    this.arrays.arrays.view(array).set(addressesOf(part));
    this.begin(fault, part);
    const first = inSpace(fault.vm.space, range.start);
    const atomics = this.atomicsAllowed(fault, part);
    return fault.gpu.port.startBind(first, range.npages, array, !fault.readOnly, atomics);
  }

  private publishRun(run: readonly Bindable[], array: PageArrayId): BindRequest {
    const [{ fault, range, part: firstPart }] = run;
    const addrs = this.arrays.arrays.view(array);
    let npages = 0;
    let filled = 0;
    for (const { fault: own, range: next, part } of run) {
      assert(next.start === range.start + npages, 'ranges that are bound together lie side by side');
      filled = appendAddresses(addrs, filled, addressesOf(part), next.npages);
      npages += next.npages;
      this.begin(own, part);
    }
    const first = inSpace(fault.vm.space, range.start);
    return fault.gpu.port.startBind(
      first,
      npages,
      array,
      !fault.readOnly,
      this.atomicsAllowed(fault, firstPart),
    );
  }

  private begin(fault: GpuFault, part: RangeDevice): void {
    this.use.touchPages(part.pages);
    part.beginBind();
    part.bound = true;
    part.boundWritable = !fault.readOnly;
  }

  /** Where an atomic would not have to fault to get there. @kernel xe_atomic_for_vram, xe_atomic_for_system */
  atomicsAllowed({ vm, gpu, page }: GpuFault, part: RangeDevice): boolean {
    const mode = vm.attributes?.mirrors[gpu.index].find(page)?.atomics ?? AtomicMode.Undefined;
    if (mode === AtomicMode.Cpu) return false;
    return part.pages.has(PagesFlag.HasDevmemPages) || needVramForAtomic(gpu, mode) === false;
  }

  /** The device could not bind: it has what it had before, unless an invalidation has taken that away meanwhile. */
  private *retract(fault: GpuFault, part: RangeDevice, wasBound: boolean, wasWritable: boolean): Steps<void> {
    const { notifierLock } = fault.vm.gpusvm;
    if (!notifierLock.beginRead()) yield PARK;
    if (!wasBound) part.bound = false;
    part.boundWritable = wasWritable;
    notifierLock.readUnlock();
  }
}

function addressesOf({ pages: { dmaAddrs } }: RangeDevice): Uint32Array {
  assert(dmaAddrs !== null, 'valid pages have addresses');
  return dmaAddrs;
}

/** Those of `npages` pages behind the first `filled` entries; returns how many there are then. */
function appendAddresses(to: Uint32Array, filled: number, from: Uint32Array, npages: number): number {
  let end = filled;
  for (let i = 0, done = 0; done < npages; i++) {
    assert(end < to.length, 'a page array has an entry for each page');
    to[end++] = from[i];
    done += 1 << dmaOrder(dmaAddrAt(from, i));
  }
  return end;
}

/** All other devices of the mirror: those that have not used the range yet probably will. The vm lock is held. */
function othersOf(range: DriverRange, part: RangeDevice, owner: PagemapOwner): SharedPages[] {
  return range.parts
    .filter((other) => other !== part)
    .map(({ pages, gpu }) => ({ pages, usesDevicePages: gpu.dpagemap?.pagemap.owner === owner }));
}
