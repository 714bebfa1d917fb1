/** Devices that join and leave the mirrors of a process while it runs: who they are to the mirror, and what they hold of its memory. */

import { Errno } from '../base/errno.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';
import type { GpuHandle } from './gpuHandle.js';
import type { MirrorTable } from './mirrorTable.js';
import type { VramManager } from './vramManager.js';

export class DeviceMembership {
  constructor(
    private readonly mirrors: MirrorTable,
    private readonly vram: VramManager,
    /** Waits for the migrations that are under way. */
    private readonly settle: () => Steps<void>,
  ) {}

  /** Errors: -ENODEV (it is unplugged), -EEXIST, -ENOENT (the process has no mirror), -ENOMEM. */
  *join(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    if (gpu.life.isUnplugged) return Errno.ENODEV;
    return yield* this.mirrors.join(mm, gpu);
  }

  /**
   * Takes the device out, then brings home what it holds of the process's memory; no lock is held meanwhile, so that faults of the others go on.
   * Errors: -ENODEV (it is no member), -ENOENT (no mirror); -EBUSY when it is out, but some of its pages are in use and stay until a CPU fault or
   * an eviction brings them.
   */
  *leave(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    const errno = yield* this.mirrors.leave(mm, gpu);
    if (errno !== Errno.OK) return errno;
    // The lock of its own mirror keeps nobody else from bringing pages to it; that of a shared one does.
    if (!this.mirrors.isShared) yield* this.settle();
    return yield* this.vram.evictOf(gpu, mm, () => this.mirrors.has(mm, gpu));
  }
}
