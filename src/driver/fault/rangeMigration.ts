/** Brings a range's pages to a device's memory, one device at a time where several want the same pages. */

import { Errno } from '../../base/errno.js';
import type { GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import type { ScanMm, ScanResult } from '../../drm/gpusvm/scanMm.js';
import type { DrmPagemap } from '../../drm/pagemap/drmPagemap.js';
import type { Kernel } from '../../mm/kernel.js';
import { LockClass } from '../../sim/lockOrder.js';
import { RwLock } from '../../sim/rwLock.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import type { DriverRange } from '../driverRange.js';
import { DriverStep, MigrateTrigger } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import { FaultPath } from './faultPath.js';
import type { GpuFault } from './gpuFault.js';

/** A range, or ranges side by side. */
type Pages = Pick<DriverRange, 'start' | 'end'>;

const migrateLockClass = new LockClass('migration lock');

export class RangeMigration {
  /** Read: a migration. Write: one that was in the way of another, so that it has the field to itself. @kernel driver_migrate_lock */
  private readonly lock: RwLock;

  constructor(
    private readonly kernel: Kernel,
    readonly scan: ScanMm,
  ) {
    this.lock = new RwLock(kernel.sched, 'migration lock', migrateLockClass);
  }

  /**
   * Two devices that migrate the same span each hold pages that the other needs; the one that finds itself blocked waits until nobody else
   * migrates, brings all pages to RAM, and tries once more. Errors: those of `populate_mm`, -EFAULT (the process is gone).
   * @kernel xe_svm_alloc_vram
   */
  *migrate(fault: GpuFault, range: DriverRange, target: GpuHandle, ctx: GpuSvmContext): Steps<Errno> {
    const { dpagemap } = target;
    if (dpagemap === null) return Errno.ENODEV;
    const where = yield* this.scan.scan(fault.vm.gpusvm, range, ctx.owner, dpagemap);
    if (this.isNeedless(fault, where)) return Errno.OK;
    this.noteStart(fault, range);
    fault.path = isOnDevices(where) ? FaultPath.Peer : FaultPath.Migrate;
    if (!this.lock.beginRead()) yield PARK;
    const errno = yield* this.populate(fault, range, target, dpagemap, ctx);
    this.lock.readUnlock();
    return errno === Errno.EBUSY ? yield* this.migrateAlone(fault, [range], target, dpagemap, ctx) : errno;
  }

  /** All pages are there, or they lie where the policy leaves them. */
  isNeedless(fault: GpuFault, where: ScanResult): boolean {
    if (where === 'equal') return true;
    return fault.policy.onlySystemPages && isOnDevices(where);
  }

  /** Of ranges side by side. */
  private *migrateAlone(
    fault: GpuFault,
    ranges: readonly DriverRange[],
    target: GpuHandle,
    dpagemap: DrmPagemap,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    const { start } = ranges[0];
    const { end } = ranges[ranges.length - 1];
    this.kernel.sched.at(DriverStep.migrateBusy, start, end - start, target.index);
    if (!this.lock.beginWrite()) yield PARK;
    // Whether all came home shows in the second attempt.
    for (const range of ranges) yield* fault.vm.evictRange(range);
    const errno = yield* this.populate(fault, { start, end }, target, dpagemap, ctx);
    this.lock.writeUnlock();
    return errno;
  }

  /**
   * Ranges side by side at once, of which the caller has seen nothing there; what has come meanwhile may be in the way, and what another device has
   * whose memory the target does not reach goes by RAM. Errors: those of `populate_mm`.
   * @kernel svm_migrate_ram_to_vram, svm_migrate_vram_to_vram, nouveau_dmem_migrate_vma
   */
  *migrateJoined(
    fault: GpuFault,
    ranges: readonly DriverRange[],
    target: GpuHandle,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    const { dpagemap } = target;
    if (dpagemap === null) return Errno.ENODEV;
    const span = { start: ranges[0].start, end: ranges[ranges.length - 1].end };
    if (!this.lock.beginRead()) yield PARK;
    const errno = yield* this.populate(fault, span, target, dpagemap, ctx);
    this.lock.readUnlock();
    return errno === Errno.EBUSY ? yield* this.migrateAlone(fault, ranges, target, dpagemap, ctx) : errno;
  }

  /** A migration lock is held. Errors: those of `populate_mm`, -ENODEV (the process does not use the target any more). */
  *populate(
    fault: GpuFault,
    { start, end }: Pages,
    target: GpuHandle,
    dpagemap: DrmPagemap,
    ctx: GpuSvmContext,
  ): Steps<Errno> {
    if (this.kernel.sched.reach(DriverStep.migrate, start, end - start, target.index)) yield STEP;
    // It may have left while this waited; who lets it go waits for those that had found it there.
    if (!fault.isMember(target)) return Errno.ENODEV;
    return yield* dpagemap.populateMm(fault.vm.mm, start, end, ctx.timesliceNs);
  }

  /** Returns when every migration that is under way has ended. */
  *settle(): Steps<void> {
    if (!this.lock.beginWrite()) yield PARK;
    this.lock.writeUnlock();
  }

  /** Who prefetches a span has said so of all of it. */
  private noteStart({ vm, isPrefetch }: GpuFault, range: DriverRange): void {
    if (isPrefetch) return;
    const { GpuFault: trigger } = MigrateTrigger;
    this.kernel.sched.at(DriverStep.migrateStart, range.start, range.npages, vm.mm.id, trigger);
  }
}

function isOnDevices(where: ScanResult): boolean {
  return where === 'other' || where === 'mixed-device';
}
