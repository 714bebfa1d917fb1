/** A buffer object in VRAM that backs migrated pages. */

import type { Vpn } from '../base/units.js';
import type { VramAllocationId } from '../device/gpuPort.js';
import { Devmem, type DevmemOps } from '../drm/pagemap/devmem.js';
import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import type { Mm } from '../mm/process/mm.js';
import { LockMap } from '../sim/lockMap.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import type { GpuHandle } from './gpuHandle.js';
import type { VramResident } from './vram/vramLru.js';

/** Of those that are evicted one after another to make room, one at a time. @kernel reservation_ww_class */
const evictionMap = new LockMap('eviction of an allocation');

/** @kernel xe_bo */
export class DriverDevmem extends Devmem implements VramResident {
  /** Its eviction waits for nobody. */
  readonly isBusy = false;
  /** Somebody evicts it already. */
  private isEvicting = false;
  private readonly evictionEnded: WaitQueue;
  /** Its device has left the process's mirror, but pages were in use and could not come home with it. */
  stranded = false;

  constructor(
    private readonly sched: Scheduler,
    readonly gpu: GpuHandle,
    dpagemap: DrmPagemap,
    mm: Mm,
    ops: DevmemOps,
    readonly vramId: VramAllocationId,
    /** Where in the process its pages were when they migrated. */
    readonly start: Vpn,
    /** Raw, one per page of the allocation. */
    readonly pfns: Uint32Array,
  ) {
    super(sched, dpagemap, mm, ops, pfns.length, vramId);
    this.evictionEnded = new WaitQueue(sched, `an eviction from device ${gpu.index}`);
  }

  get evicting(): boolean {
    return this.isEvicting;
  }

  /** On return nobody else evicts it, until {@link endEviction}. @kernel ttm_bo_reserve */
  *beginEviction(): Steps<void> {
    this.sched.order(evictionMap.lockClass);
    while (this.isEvicting) yield* this.evictionEnded.wait();
    this.isEvicting = true;
    this.sched.enter(evictionMap);
  }

  /** @kernel ttm_bo_unreserve */
  endEviction(): void {
    this.isEvicting = false;
    this.sched.leave(evictionMap);
    this.evictionEnded.wakeAll();
  }
}
