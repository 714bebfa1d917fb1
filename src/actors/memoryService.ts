/** Calls about memory that are no mapping calls: locking, pinning, reclaim, page states and userfaults. */

import { Errno } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import { Madvise } from '../mm/area/madvise.js';
import { Userfaultfd } from '../mm/fault/userfaultfd.js';
import type { Kernel } from '../mm/kernel.js';
import { GupFlag } from '../mm/mirror/gup.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import { pagemapByte } from '../mm/table/pagemap.js';
import type { Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import type { OpenFiles } from './processService.js';
import { UserfaultHandler } from './userfaultHandler.js';

export class MemoryService implements OpenFiles {
  /** Of those that are open. */
  private readonly userfaults = new Map<Userfaultfd, UserfaultHandler>();

  constructor(
    private readonly kernel: Kernel,
    private readonly calls: MmCalls,
    private readonly actor: ActorId,
    /** Whether the process has not begun to end: what it opens later nobody would close. */
    private readonly isAlive: (mm: Mm) => boolean,
  ) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.mlock, (call) => this.mlock(call));
    ioctls.register(IoctlRequest.munlock, (call) => this.munlock(call));
    ioctls.register(IoctlRequest.reclaim, (call) => this.reclaim(call));
    ioctls.register(IoctlRequest.pinUnpin, (call) => this.pinUnpin(call));
    ioctls.register(IoctlRequest.pagemapRead, (call) => this.readPagemap(call));
    ioctls.register(IoctlRequest.userfaultRegister, (call) => this.registerUserfaults(call));
  }

  private *mlock({ mm, page, npages }: IoctlCall): Steps<IoctlReply> {
    return ioctlReply(yield* this.calls.mlock.mlock(mm, page, npages));
  }

  private *munlock({ mm, page, npages }: IoctlCall): Steps<IoctlReply> {
    return ioctlReply(yield* this.calls.mlock.munlock(mm, page, npages));
  }

  /** Of a span, or of the whole address space, as if its memory were too much for its cgroup. */
  private *reclaim({ mm, page, npages }: IoctlCall): Steps<IoctlReply> {
    if (npages === 0) return ioctlReply(Errno.OK, yield* this.calls.reclaim.shrinkMm(mm));
    return ioctlReply(yield* this.calls.madvise.madvise(mm, page, npages, Madvise.PageOut));
  }

  /** References all pages of the span, and lets go of them at once. */
  private *pinUnpin({ mm, page, npages, a, b }: IoctlCall): Steps<IoctlReply> {
    const { gup } = this.calls;
    const pages = new Uint32Array(npages);
    const got = yield* b === 1
      ? gup.getUserPagesFast(mm, page, npages, a, pages)
      : this.getLocked(mm, page, npages, a, pages);
    if (got > 0) gup.release(pages, got, a & GupFlag.Pin);
    if (got < 0) return ioctlReply(got as Errno);
    return ioctlReply(got === npages ? Errno.OK : Errno.EFAULT, got);
  }

  private *getLocked(mm: Mm, page: Vpn, npages: number, flags: number, pages: Uint32Array): Steps<number> {
    yield* mm.mmapLock.read();
    const got = yield* this.calls.gup.getUserPages(mm, page, npages, flags, pages);
    mm.mmapLock.readUnlock();
    return got;
  }

  private *readPagemap({ mm, page, npages, payload }: IoctlCall): Steps<IoctlReply> {
    const { pagemap } = this.calls;
    for (let i = 0; i < npages; i++) payload.bytes[i] = pagemapByte(pagemap.read(mm, vpn(page + i)));
    return ioctlReply(Errno.OK);
  }

  /** A process that has ended serves nobody's faults any more. */
  *closeAll(mm: Mm): Steps<void> {
    if (mm.userfaultfd !== null) yield* mm.userfaultfd.release();
  }

  /** The handler's thread lives as long as its process. */
  private *registerUserfaults({ mm, page, npages, a, b }: IoctlCall): Steps<IoctlReply> {
    if (!this.isAlive(mm)) return ioctlReply(Errno.ENODEV);
    const handler = this.handlerOf(mm);
    const errno = yield* handler.uffd.register(page, npages);
    // Without memory to split areas some of the range is registered.
    if (errno === Errno.OK || errno === Errno.ENOMEM)
      handler.add({ start: page, end: vpn(page + npages), first: a, step: b });
    return ioctlReply(errno);
  }

  private handlerOf(mm: Mm): UserfaultHandler {
    const open = mm.userfaultfd?.isClosed === false ? mm.userfaultfd : null;
    const uffd = open ?? new Userfaultfd(this.kernel, mm, this.calls.edit);
    const known = this.userfaults.get(uffd);
    if (known !== undefined) return known;
    const handler = new UserfaultHandler(this.kernel, uffd);
    this.userfaults.set(uffd, handler);
    this.kernel.sched.spawn(this.actor, `userfaults of mm ${mm.id}`, this.serve(handler), true);
    return handler;
  }

  private *serve(handler: UserfaultHandler): Steps<void> {
    yield* handler.serve();
    this.userfaults.delete(handler.uffd);
  }
}
