/** fork, exit and kill: how processes begin and end. */

import { Errno } from '../base/errno.js';
import type { ExitMm } from '../mm/process/exitMm.js';
import type { Fork } from '../mm/process/fork.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import type { ProcessTable } from './processTable.js';

/** What a process may have open: a driver closes it once the process has let go of its memory. @kernel exit_files */
export interface OpenFiles {
  closeAll(mm: Mm): Steps<void>;
}

export class ProcessService {
  constructor(
    private readonly processes: ProcessTable,
    private readonly calls: { readonly fork: Fork; readonly exit: ExitMm },
    private readonly files: readonly OpenFiles[],
  ) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.fork, (call) => this.fork(call));
    ioctls.register(IoctlRequest.exit, (call) => this.end(call));
    ioctls.register(IoctlRequest.kill, (call) => this.end(call));
  }

  /** The memory goes first, unless a call is still at work on it, and then what is open. @kernel do_exit */
  *exit(mm: Mm): Steps<void> {
    this.processes.remove(mm);
    yield* this.calls.exit.mmput(mm);
    for (const files of this.files) yield* files.closeAll(mm);
  }

  private *fork({ mm }: IoctlCall): Steps<IoctlReply> {
    const id = this.processes.reserve();
    const child = yield* this.calls.fork.fork(mm, id);
    if (typeof child === 'number') return ioctlReply(child);
    this.processes.add(child);
    return ioctlReply(Errno.OK, id);
  }

  private *end({ a }: IoctlCall): Steps<IoctlReply> {
    const mm = this.processes.find(a);
    // -ESRCH of the kernel.
    if (mm === null) return ioctlReply(Errno.ENOENT);
    yield* this.exit(mm);
    return ioctlReply(Errno.OK);
  }
}
