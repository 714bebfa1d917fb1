/** GPUs of the reference driver as test devices, as far as they can be: processes look at their memory through them, and take it exclusively. */

import { Errno } from '../base/errno.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { GpuViews } from '../driver/mirror/gpuViews.js';
import type { MirrorView } from '../driver/mirror/mirrorView.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import { type CommandCall, replyOf, viewCommandRows } from './mirrorCommands.js';

export interface ViewWorld {
  readonly views: GpuViews;
  readonly gpus: readonly GpuHandle[];
  /** Whether the device mirrors anything of the process. */
  readonly isBound: (mm: Mm, gpu: GpuHandle) => boolean;
  /** Whether the process has not ended. */
  readonly isAlive: (mm: Mm) => boolean;
}

export class ViewService {
  constructor(private readonly world: ViewWorld) {}

  register(ioctls: IoctlTable): void {
    for (const [request, command] of viewCommandRows(this.world.views.commands))
      ioctls.register(request, (call) => this.command(command, call));
    ioctls.register(IoctlRequest.mirrorClose, (call) => this.close(call));
  }

  /** Of a process that has ended. @kernel exit_files */
  closeAll(mm: Mm): Steps<void> {
    return this.world.views.closeAll(mm);
  }

  private *command(command: CommandCall<MirrorView>, call: IoctlCall): Steps<IoctlReply> {
    const view = yield* this.viewOf(call);
    return typeof view === 'number' ? ioctlReply(view) : replyOf(yield* command(view, call));
  }

  /** -ENODEV without a mirror; also for a process that ends meanwhile: nobody would close what it opens. */
  private *viewOf({ mm, device }: IoctlCall): Steps<MirrorView | Errno> {
    const { views, gpus, isBound, isAlive } = this.world;
    const gpu = gpus[device];
    if (gpu === undefined || !isBound(mm, gpu)) return Errno.ENODEV;
    const view = yield* views.viewOf(mm, gpu);
    if (isAlive(mm)) return view;
    yield* views.close(mm, gpu);
    return Errno.ENODEV;
  }

  private *close({ mm, device }: IoctlCall): Steps<IoctlReply> {
    const gpu = this.world.gpus[device];
    if (gpu === undefined) return ioctlReply(Errno.ENODEV);
    yield* this.world.views.close(mm, gpu);
    return ioctlReply(Errno.OK);
  }
}
