/** The driver calls about a device's memory as a whole: emptying it, and letting its allocations fail on purpose. */

import { Errno } from '../base/errno.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { VramManager } from '../driver/vramManager.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

export class VramService {
  constructor(
    private readonly gpus: readonly GpuHandle[],
    private readonly vram: VramManager,
  ) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.vramEvict, (call) => this.evict(call));
    ioctls.register(IoctlRequest.vramFail, (call) => this.fail(call));
  }

  /** Everything that migrated there comes home; buffer objects stay. -ENODEV, or what the first page says that stays. */
  private *evict({ device }: IoctlCall): Steps<IoctlReply> {
    const gpu = this.gpus[device];
    return ioctlReply(gpu === undefined ? Errno.ENODEV : yield* this.vram.evictAll(gpu));
  }

  private *fail({ device, a }: IoctlCall): Steps<IoctlReply> {
    const gpu = this.gpus[device];
    if (gpu === undefined) return ioctlReply(Errno.ENODEV);
    gpu.failNextAllocations(a);
    return ioctlReply(Errno.OK);
  }
}
