/** Clears new device memory while the migration to it gets ready: what programs left there must not be seen by others. */

import { assert } from '../base/assert.js';
import type { VramAllocationId } from '../device/gpuPort.js';
import { DmaFence } from '../drm/dmaFence.js';
import { DmaDir, DmaProto, dmaAddr, NO_DMA_ADDR } from '../memory/dmaAddr.js';
import type { PageArrayId, PageArrayPool } from '../memory/pageArrays.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { DriverDevmem } from './driverDevmem.js';
import { DriverStep } from './driverStep.js';

/** A clear that is under way writes to the memory; so nobody copies there before its fence, and nobody else gets the memory before its end. */
export class VramClear {
  private readonly busy = new Map<DriverDevmem, DmaFence>();

  constructor(
    private readonly sched: Scheduler,
    private readonly arrays: PageArrayPool,
  ) {}

  /** Clears under way. */
  get pending(): number {
    return this.busy.size;
  }

  /** Something still writes zeros to the allocation's memory. */
  isUnderWay(devmem: DriverDevmem): boolean {
    return this.busy.has(devmem);
  }

  /** Begins; the migration waits for the allocation's fence. @kernel xe_migrate_clear, drm_pagemap_devmem_init */
  *start(devmem: DriverDevmem): Steps<void> {
    // Before the task: it must not wait for arrays that those have who wait for it.
    const [empty, target] = yield* this.arrays.borrowPair();
    const fence = new DmaFence(this.sched, `the clear of allocation ${devmem.vramId}`);
    this.busy.set(devmem, fence);
    devmem.preMigrateFence = fence;
    this.sched.spawn(this.sched.self.actor, 'clear of VRAM', this.clear(devmem, fence, empty, target));
  }

  /** The allocation's memory can be used by others, now or when nothing writes there any more. Never sleeps. */
  release(devmem: DriverDevmem): void {
    if (!this.busy.has(devmem)) giveBack(devmem, devmem.vramId);
  }

  private *clear(
    devmem: DriverDevmem,
    fence: DmaFence,
    empty: PageArrayId,
    target: PageArrayId,
  ): Steps<void> {
    const { npages, pfns, allocation } = devmem;
    const device = devmem.gpu.index;
    fence.beginSignalling();
    this.sched.at(DriverStep.clear, device, npages, allocation);
    this.arrays.arrays.view(empty).fill(NO_DMA_ADDR, 0, npages);
    const addrs = this.arrays.arrays.view(target);
    for (let i = 0; i < npages; i++) addrs[i] = dmaAddr(DmaProto.Vram, pfns[i], DmaDir.Bidirectional);
    const errno = yield* devmem.gpu.port.copy(empty, target, npages);
    this.arrays.giveBack(empty);
    this.arrays.giveBack(target);
    this.busy.delete(devmem);
    fence.signal(errno);
    fence.endSignalling();
    this.sched.at(DriverStep.cleared, device, npages, errno, allocation);
    if (devmem.released) giveBack(devmem, devmem.vramId);
  }
}

function giveBack({ gpu, released }: DriverDevmem, id: VramAllocationId): void {
  assert(released, 'memory in use is given back');
  gpu.port.releaseVram(id);
}
