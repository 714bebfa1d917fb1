/** Allocates a device's memory, and makes room by sending to RAM what was not used for longest. */

import { Errno, isErr } from '../../base/errno.js';
import type { VramAllocationId } from '../../device/gpuPort.js';
import { AllocSite } from '../../memory/failureInjector.js';
import type { PageArrayPool } from '../../memory/pageArrays.js';
import type { Kernel } from '../../mm/kernel.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { VramPiece } from '../vmBind/vramBo.js';
import type { EvictionPolicy } from './evictionPolicy.js';
import type { VramResident } from './vramLru.js';

/** Victims that one allocation may evict before it reports -ENOMEM. */
const EVICTIONS_MAX = 1024;

export class VramSpace {
  constructor(
    private readonly kernel: Kernel,
    private readonly arrays: PageArrayPool,
    private readonly policy: EvictionPolicy,
    private readonly evict: (victim: VramResident) => Steps<Errno>,
  ) {}

  /**
   * At most a page array's length, with whatever the last user left in it. No lock that an eviction needs may be held: that of the victim,
   * and those of invalidation callbacks. Errors: -ENOMEM (nothing is left that could go), -ENODEV. @kernel ttm_bo_alloc_resource
   */
  *allocate(gpu: GpuHandle, npages: number): Steps<VramPiece | Errno> {
    if (gpu.allocationFails() || this.kernel.allocationFails(AllocSite.DevicePage)) return Errno.ENOMEM;
    let piece = yield* this.tryAllocate(gpu, npages);
    const stuck = new Set<VramResident>();
    for (let evictions = 0; piece === Errno.ENOMEM && evictions < EVICTIONS_MAX; evictions++) {
      if (!(yield* this.makeRoom(gpu, npages, stuck))) return Errno.ENOMEM;
      piece = yield* this.tryAllocate(gpu, npages);
    }
    return piece;
  }

  /** The array is not kept while others are evicted, which need arrays too. */
  private *tryAllocate(gpu: GpuHandle, npages: number): Steps<VramPiece | Errno> {
    const array = this.arrays.tryBorrow() ?? (yield* this.arrays.borrow());
    const id = yield* gpu.port.allocVram(npages, array);
    const pfns = id > 0 ? this.arrays.arrays.view(array).slice(0, npages) : null;
    this.arrays.giveBack(array);
    return pfns === null ? (id as Errno) : { id: id as VramAllocationId, pfns };
  }

  /** False when nothing is left to evict. What could not go is remembered in `stuck`. */
  *makeRoom(gpu: GpuHandle, npages: number, stuck: Set<VramResident>): Steps<boolean> {
    const victim = this.policy.victim(this.candidates(gpu, stuck), npages);
    if (victim === null) return false;
    const errno = yield* this.evict(victim);
    if (isErr(errno)) stuck.add(victim);
    return true;
  }

  /** Nobody evicts them yet, and they are not known to be in use. @kernel ttm_bo_evict_swapout_allowable */
  *candidates(gpu: GpuHandle, stuck: ReadonlySet<VramResident>): Generator<VramResident, void, void> {
    for (const resident of gpu.lru) {
      if (!resident.evicting && !resident.isBusy && !stuck.has(resident)) yield resident;
    }
  }
}
