/** The driver's mirror of one address space: a gpusvm with the devices that share it, its locks, and its life. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../base/units.js';
import { inSpace, type SpaceId } from '../device/gpuSpace.js';
import type { GpuSvmDma } from '../drm/gpusvm/getPages.js';
import { defaultContext, GpuSvm, type GpuSvmConfig } from '../drm/gpusvm/gpusvm.js';
import type { GpuSvmRange } from '../drm/gpusvm/range.js';
import type { PageSpan } from '../drm/gpuvm/addressRange.js';
import type { PageArrayPool } from '../memory/pageArrays.js';
import type { Kernel } from '../mm/kernel.js';
import type { Hmm } from '../mm/mirror/hmm.js';
import type { Mm } from '../mm/process/mm.js';
import { Completion } from '../sim/completion.js';
import { LockClass } from '../sim/lockOrder.js';
import { Mutex } from '../sim/mutex.js';
import { RwLock } from '../sim/rwLock.js';
import { PARK, type Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import type { AllocationHome } from './allocationHome.js';
import type { ProcessAttributes } from './attributes/processAttributes.js';
import type { DriverRange, RangeDevice } from './driverRange.js';
import { DriverStep } from './driverStep.js';
import { GarbageCollector } from './garbageCollector.js';
import type { GpuHandle } from './gpuHandle.js';
import { Invalidation } from './invalidation.js';
import { Membership } from './membership.js';
import type { DeviceVm } from './vmBind/deviceVm.js';
import type { BoMoves } from './vram/boMoves.js';

const vmLockClass = new LockClass('vm lock');
const svmLockClass = new LockClass('svm lock');

/** Makes the invalidation of a mirror that is just being made: nothing of it may be used before it is asked to invalidate. */
export type InvalidationMaker = (vm: SvmVm) => Invalidation;

export interface VmConfig extends GpuSvmConfig {
  /** One HMM fault gets a range's pages for all devices of the mirror. */
  readonly sharesFaults: boolean;
  /** The driver's own unless told. */
  readonly invalidation?: InvalidationMaker;
  /** Where devices have memory that CPUs reach: pages there come home by it, since CPU faults do not bring them. */
  readonly coherentHome?: AllocationHome;
}

const NO_GPUS: readonly GpuHandle[] = [];

/** N:1: one of these with N devices. 1:1: one per device. @kernel xe_vm */
export class SvmVm {
  readonly gpusvm: GpuSvm;
  readonly collector: GarbageCollector;
  /**
   * Read: faults. Write: the garbage collector and the end. The kernel's driver takes it for write in faults too; with several devices
   * behind one vm that would run their faults one after another.
   */
  readonly vmLock: RwLock;
  /** Guards the trees of notifiers and ranges. @kernel driver svm lock */
  readonly svmLock: Mutex;
  /** The end has begun: no new fault is served, and callbacks only end DMA. @kernel xe_vm_is_closed */
  closed = false;
  /** Nothing of it is left; nobody may work on it any more. */
  readonly ended: Completion;
  readonly membership: Membership;
  /** What the process has said about its memory; set once, before the first fault. Null where programs say nothing. */
  attributes: ProcessAttributes | null = null;
  readonly invalidation: Invalidation;

  constructor(
    readonly kernel: Kernel,
    readonly mm: Mm,
    gpus: readonly GpuHandle[],
    /** What its devices know the address space as; no other mirror of any of them has it. */
    readonly space: SpaceId,
    readonly config: VmConfig,
    readonly actor: ActorId,
    hmm: Hmm,
    readonly dma: GpuSvmDma,
    arrays: PageArrayPool,
    moves: BoMoves,
  ) {
    const { sched } = kernel;
    this.vmLock = new RwLock(sched, `vm lock of ${config.name}`, vmLockClass);
    this.svmLock = new Mutex(sched, `svm lock of ${config.name}`, svmLockClass);
    this.ended = new Completion(sched, `the end of ${config.name}`);
    this.collector = new GarbageCollector(this);
    this.invalidation = config.invalidation?.(this) ?? new Invalidation(this);
    this.membership = new Membership(this, gpus, arrays, moves);
    const gpusvm = GpuSvm.init(sched, config, mm, hmm, this.invalidation);
    assert(typeof gpusvm !== 'number', 'a mirror has chunks');
    this.gpusvm = gpusvm;
    gpusvm.driverSetLock(this.svmLock);
  }

  get finished(): boolean {
    return this.ended.isDone;
  }

  /** The devices that mirror the address space now. Changes under the vm lock for write. */
  get gpus(): readonly GpuHandle[] {
    return this.membership.gpus;
  }

  /** What each device sees where. */
  get deviceVms(): ReadonlyMap<GpuHandle, DeviceVm> {
    return this.membership.deviceVms;
  }

  /**
   * For who changes what devices see: the vm lock for write, and no garbage, so that what the process has unmapped counts no more. -ENOENT,
   * without the lock: the mirror is closed. @kernel xe_svm_flush
   */
  *beginChange(): Steps<Errno> {
    yield* this.vmLock.write();
    yield* this.collector.collectLocked();
    if (!this.closed) return Errno.OK;
    this.vmLock.writeUnlock();
    return Errno.ENOENT;
  }

  /** The same for what one device sees. -ENODEV, without the lock: it has left the mirror. */
  *beginChangeFor(gpu: GpuHandle): Steps<Errno> {
    const errno = yield* this.beginChange();
    if (errno !== Errno.OK || this.membership.has(gpu)) return errno;
    this.vmLock.writeUnlock();
    return Errno.ENODEV;
  }

  /** The part of `range` that belongs to `gpu`, made if need be. The vm lock is held for read. */
  *partOf(range: DriverRange, gpu: GpuHandle): Steps<RangeDevice> {
    const { notifierLock } = this.gpusvm;
    for (;;) {
      if (!notifierLock.beginRead()) yield PARK;
      const found = range.find(gpu);
      const gpus = found === null ? range.gpusWith(gpu) : NO_GPUS;
      notifierLock.readUnlock();
      if (found !== null) return found;
      const prepared = range.prepare(gpus);
      if (!notifierLock.beginWrite()) yield PARK;
      // Another device may have come first meanwhile: what was prepared without it is thrown away.
      const isCurrent = range.find(gpu) === null && range.parts.every((part) => prepared.includes(part));
      if (isCurrent) range.install(prepared);
      notifierLock.writeUnlock();
      if (isCurrent) this.kernel.sched.at(DriverStep.growPages, range.start, range.numPages);
    }
  }

  /** Brings a range's pages to RAM. Errors: those of `GpuSvm.rangeEvict`, and of {@link AllocationHome.bringHome}. */
  evictRange(range: GpuSvmRange): Steps<Errno> {
    const { coherentHome } = this.config;
    return coherentHome === undefined
      ? this.gpusvm.rangeEvict(range)
      : this.evictCoherentToo(range, coherentHome);
  }

  private *evictCoherentToo(range: GpuSvmRange, home: AllocationHome): Steps<Errno> {
    const errno = yield* this.gpusvm.rangeEvict(range);
    return errno === Errno.OK ? yield* home.bringHome(this.mm, range.start, range.end) : errno;
  }

  /**
   * Ends the mirror: no device can reach the address space afterwards. Pages stay where they are; the address space may live on. Where somebody
   * else ends it already this returns when he is done. @kernel xe_svm_close, xe_svm_fini
   */
  *close(): Steps<void> {
    if (this.closed) return yield* this.ended.wait();
    this.closed = true;
    // Before the vm lock is taken, which the worker may wait for.
    yield* this.collector.disable();
    if (!this.vmLock.beginWrite()) yield PARK;
    yield* this.collector.collectLocked();
    if (!this.svmLock.beginLock()) yield PARK;
    yield* this.unmapEverything();
    for (const deviceVm of this.deviceVms.values()) yield* deviceVm.close();
    for (const gpu of this.gpus) gpu.port.removeSpace(this.space);
    yield* this.gpusvm.fini();
    this.ended.completeAll();
    this.svmLock.unlock();
    this.vmLock.writeUnlock();
  }

  /** fini does not unmap: the driver must, before. */
  *unmapEverything(): Steps<void> {
    yield* this.detach(this.gpus);
    for (const range of this.gpusvm.allRanges()) {
      const { parts } = range as DriverRange;
      for (const part of parts) {
        part.bound = false;
        yield* this.dma.unmapPages(this.gpusvm, part.pages, range.npages, defaultContext);
      }
    }
  }

  /** On return no translation of the address space is left on these devices. The vm lock is held for write, so that none comes back. */
  *detach(gpus: readonly GpuHandle[]): Steps<void> {
    const first = inSpace(this.space, 0 as Vpn);
    for (const gpu of gpus) gpu.port.zap(first, TASK_SIZE_PAGES);
    for (const gpu of gpus) {
      const invalidation = gpu.port.startTlbInvalidation(first, TASK_SIZE_PAGES);
      yield* gpu.port.finishTlbInvalidation(invalidation);
    }
  }

  /** The address space of a device of this mirror. */
  deviceVm(gpu: GpuHandle): DeviceVm {
    const found = this.deviceVms.get(gpu);
    assert(found !== undefined, () => `device ${gpu.index} does not mirror this address space`);
    return found;
  }

  /** The pages around one in which no device's mappings begin or end: ranges stay within it, since devices share them. */
  spanAround(page: Vpn): PageSpan {
    let start = 0;
    let end: number = TASK_SIZE_PAGES;
    for (const deviceVm of this.deviceVms.values()) {
      const span = deviceVm.spanAround(page);
      start = Math.max(start, span.start);
      end = Math.min(end, span.end);
    }
    return { start, end };
  }

  /** The device takes part in a range there. The vm lock is held for write. */
  hasRangeOf(gpu: GpuHandle, start: number, end: number): boolean {
    this.vmLock.assertHeldForWrite();
    for (const range of this.gpusvm.rangesIn(start as Vpn, end as Vpn)) {
      if ((range as DriverRange).find(gpu) !== null) return true;
    }
    return false;
  }

  /** Other devices' ranges that reach over an end of the span make way for smaller ones; their pages stay where they are. */
  *removeRangesAcross({ start, end }: PageSpan): Steps<void> {
    this.vmLock.assertHeldForWrite();
    if (!this.svmLock.beginLock()) yield PARK;
    for (const range of [...this.gpusvm.rangesIn(start as Vpn, end as Vpn)]) {
      if (range.start >= start && range.end <= end) continue;
      yield* this.unmapParts(range as DriverRange, (range as DriverRange).parts);
      yield* this.gpusvm.rangeRemove(range);
    }
    this.svmLock.unlock();
  }

  /** Takes a range's pages away from some of its devices; the next access of theirs faults. */
  *unmapParts(range: DriverRange, parts: readonly RangeDevice[]): Steps<void> {
    const { notifierLock } = this.gpusvm;
    if (!notifierLock.beginWrite()) yield PARK;
    yield* this.invalidation.drop(range, parts);
    notifierLock.writeUnlock();
  }
}
