/** Letting go of a device while programs use its memory: nothing new comes there, all that is there goes home, and the pagemap goes with its last user. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Kernel } from '../mm/kernel.js';
import { STEP, type Steps } from '../sim/steps.js';
import { DriverStep } from './driverStep.js';
import type { GpuHandle } from './gpuHandle.js';
import type { VramManager } from './vramManager.js';

/** Times that every allocation is tried: pages in use for a moment are not in the way. */
const ROUNDS_MAX = 64;
const PAUSE_NS = 100_000;

/**
 * Mirrors go on: the device and its peers find the pages in RAM. Buffer objects go to RAM too and stay there: what the device's memory is needed
 * for fails with -ENODEV from now on.
 * @kernel xe_pci_remove, xe_device_remove
 */
export class GpuUnbind {
  constructor(
    private readonly kernel: Kernel,
    private readonly vram: VramManager,
  ) {}

  /** Error: that of pages that stay in use; the device stays unplugged, and this can be called again. */
  *unbind(gpu: GpuHandle): Steps<Errno> {
    const { sched } = this.kernel;
    // From here on requests are refused, and those that had begun are done.
    yield* gpu.life.unplug(sched);
    if (sched.reach(DriverStep.unplugged, gpu.index, gpu.allocations.size)) yield STEP;
    const errno = yield* this.bringHome(gpu);
    if (errno === Errno.OK) this.letGo(gpu);
    sched.at(DriverStep.unbound, gpu.index, errno);
    return errno;
  }

  /** All migrated pages, wherever they are mapped, and all buffer objects. @kernel xe_bo_evict_all */
  *bringHome(gpu: GpuHandle): Steps<Errno> {
    let errno: Errno = Errno.OK;
    for (let round = 0; this.holdsMemory(gpu); round++) {
      if (round === ROUNDS_MAX) return errno === Errno.OK ? Errno.EBUSY : errno;
      if (round > 0) yield* this.kernel.sched.sleep(PAUSE_NS);
      errno = yield* this.evictEach(gpu);
    }
    return Errno.OK;
  }

  /** One that cannot go does not keep the others. The last error. */
  *evictEach(gpu: GpuHandle): Steps<Errno> {
    let last: Errno = Errno.OK;
    for (const victim of [...gpu.allocations]) {
      if (victim.evicting || victim.released) continue;
      const errno = yield* this.vram.evict(victim);
      if (errno !== Errno.OK) last = errno;
    }
    for (const bo of [...gpu.bos]) {
      // While others were on their way a program may have let go of it.
      if (bo.refCount === 0 || !bo.memory.isVram) continue;
      const errno = yield* this.vram.moves.evict(bo);
      if (errno !== Errno.OK) last = errno;
    }
    return last;
  }

  private holdsMemory(gpu: GpuHandle): boolean {
    if (gpu.allocations.size > 0) return true;
    for (const { memory } of gpu.bos) if (memory.isVram) return true;
    return false;
  }

  /** The driver's own reference; who still maps pages of the memory, or waits for them to be unmapped, keeps pagemap and device. */
  letGo(gpu: GpuHandle): void {
    const { dpagemap } = gpu;
    assert(dpagemap !== null, () => `the driver has let go of device ${gpu.index} already`);
    gpu.dpagemap = null;
    dpagemap.put();
    gpu.life.release();
  }
}
