/** Brings one range at a time to where it should be before it is used, as far as that works. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../base/units.js';
import { defaultContext, type GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import type { GpuSvmRange } from '../../drm/gpusvm/range.js';
import { FaultKind } from '../../memory/faultKind.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { AllocationHome } from '../allocationHome.js';
import type { GpuHandle } from '../gpuHandle.js';
import { type PlacementPolicy, preferDevice } from '../placement.js';
import { firstOnDevice } from '../spanWalk.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFaultHandler } from './faultHandler.js';
import { findOrInsertRange } from './rangeLookup.js';

/** Evictions of one range that may run out of time before a prefetch to RAM fails. */
const EVICT_ATTEMPTS = 10;

/** A range that is made to bring its pages home: whether they may be written does not matter, and a device may want them again. */
const HOMEWARD: GpuSvmContext = { ...defaultContext, readOnly: true, devmemPossible: true };

export class RangePrefetch {
  constructor(
    private readonly faults: GpuFaultHandler,
    private readonly allocations: AllocationHome,
  ) {}

  /**
   * Migrates the range at `page` to where the policy wants it, the GPU's memory unless told, and binds it there, as a fault with that placement
   * would: what cannot migrate is bound where it is. Returns the page after the range, or an errno. @kernel svm_range_validate_and_map
   */
  *toDevice(
    vm: SvmVm,
    gpu: GpuHandle,
    page: Vpn,
    policy: PlacementPolicy = preferDevice(gpu.index),
    write = true,
  ): Steps<Vpn | Errno> {
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
      readOnly: false,
    });
    const errno = yield* this.faults.serve(fault);
    return errno === Errno.OK ? fault.servedEnd : errno;
  }

  /**
   * Brings the range at `page` to RAM, and what lies in device memory there without one: its range may have gone, and its pages not. Returns the
   * page after the range, or the next page where something may have to come home. Nothing is bound. @kernel svm_migrate_vram_to_ram
   */
  *toRam(vm: SvmVm, page: Vpn): Steps<Vpn | Errno> {
    if (!vm.vmLock.beginRead()) yield PARK;
    // A range that has lost pages cannot come home as a whole.
    if (vm.collector.hasWork) yield* vm.collector.collectFirst();
    const next = nextToBringHome(vm, page);
    const result = next === page ? yield* this.bringHome(vm, page) : next;
    vm.vmLock.readUnlock();
    return result;
  }

  /** The vm lock is held for read. */
  private *bringHome(vm: SvmVm, page: Vpn): Steps<Vpn | Errno> {
    const found = yield* findOrInsertRange(vm, page, HOMEWARD);
    // Memory that has gone has nothing left to bring home.
    if ('errno' in found) return found.errno === Errno.ENOENT ? vpn(page + 1) : found.errno;
    const { start, end } = found.range;
    let errno = yield* this.evictPatiently(vm, found.range);
    vm.gpusvm.rangePut(found.range);
    // A fault is refused where nobody may read, and beyond a file's end; the way home asks for no rights.
    if (errno === Errno.EFAULT) errno = yield* this.allocations.bringHome(vm.mm, start, end);
    return errno === Errno.OK ? end : errno;
  }

  /** Others may invalidate the range for as long as an eviction tries; a few such times are no reason to give up. */
  private *evictPatiently(vm: SvmVm, range: GpuSvmRange): Steps<Errno> {
    let errno: Errno = Errno.ETIME;
    for (let attempt = 0; errno === Errno.ETIME && attempt < EVICT_ATTEMPTS; attempt++) {
      errno = yield* vm.evictRange(range);
    }
    return errno;
  }
}

/** The page itself, if it has a range or lies in device memory; otherwise the next one of which that may be so. */
function nextToBringHome({ gpusvm, mm, closed }: SvmVm, page: Vpn): Vpn {
  // Its last device left while this waited: what lay in its memory comes home by that, and a range would be nobody's.
  if (closed) return vpn(TASK_SIZE_PAGES);
  if (gpusvm.findRange(page) !== null) return page;
  const nextRange = gpusvm.ranges.lowerBound(page + 1)?.start ?? TASK_SIZE_PAGES;
  const area = mm.vmas.find(page);
  return area === null ? vpn(nextRange) : firstOnDevice(mm, page, vpn(Math.min(nextRange, area.end)));
}
