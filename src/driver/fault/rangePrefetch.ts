/** Prefetch: brings ranges to where a program wants them before it uses them. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../base/units.js';
import type { GpuSvmRange } from '../../drm/gpusvm/range.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { GpuHandle } from '../gpuHandle.js';
import { type PlacementPolicy, preferDevice } from '../placement.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFaultHandler } from './faultHandler.js';

/** Evictions of one range that may run out of time before a prefetch to RAM fails. */
const EVICT_ATTEMPTS = 10;

export class RangePrefetch {
  constructor(private readonly faults: GpuFaultHandler) {}

  /**
   * Migrates the range at `page` to where the policy wants it, the GPU's memory unless told, and binds it there, as a fault with that placement
   * would. Returns the page after the range, or an errno; -EBUSY from migration leaves the pages in RAM and is no error.
   * @kernel prefetch_ranges
   */
  *toDevice(
    vm: SvmVm,
    gpu: GpuHandle,
    owner: PagemapOwner,
    page: Vpn,
    policy: PlacementPolicy = preferDevice(gpu.index),
    write = true,
  ): Steps<Vpn | Errno> {
    const kind = FaultKind.Demand;
    const fault = this.faults.begin({
      vm,
      gpu,
      owner,
      page,
      write,
      kind,
      policy,
      isPrefetch: true,
      devmemOnly: false,
    });
    const errno = yield* this.faults.serve(fault);
    return errno === Errno.OK ? fault.servedEnd : errno;
  }

  /** Brings the range at `page` to RAM. Returns the page after it, or without one the next range's: what has no range is in RAM or nowhere. @kernel xe_svm_range_migrate_to_smem */
  *toRam(vm: SvmVm, page: Vpn): Steps<Vpn | Errno> {
    if (!vm.vmLock.beginRead()) yield PARK;
    if (!vm.svmLock.beginLock()) yield PARK;
    const range = vm.gpusvm.findRange(page);
    const next = vm.gpusvm.ranges.lowerBound(page + 1)?.start ?? TASK_SIZE_PAGES;
    if (range !== null) vm.gpusvm.rangeGet(range);
    vm.svmLock.unlock();
    const result = range === null ? vpn(next) : yield* this.evictPatiently(vm, range);
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
}
