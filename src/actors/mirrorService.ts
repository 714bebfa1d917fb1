/** The test devices as processes reach them: each open device of each process is a context, and each command a call. */

import { Errno } from '../base/errno.js';
import type { MirrorContext } from '../driver/mirror/mirrorContext.js';
import type { MirrorDriver } from '../driver/mirror/mirrorDriver.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import {
  type CommandCall,
  type CommandRow,
  replyOf,
  sinkOf,
  sourceOf,
  viewCommandRows,
} from './mirrorCommands.js';

export class MirrorService {
  /** What processes have open: at most one context per process and device. */
  private readonly contexts: MirrorContext[] = [];

  constructor(
    private readonly driver: MirrorDriver,
    /** Whether the process has not ended. */
    private readonly isAlive: (mm: Mm) => boolean,
  ) {}

  register(ioctls: IoctlTable): void {
    const { driver } = this;
    ioctls.register(IoctlRequest.mirrorOpen, (call) => this.open(call));
    ioctls.register(IoctlRequest.mirrorClose, (call) => this.close(call));
    ioctls.register(IoctlRequest.mirrorRelease, (call) => this.evict(call));
    ioctls.register(IoctlRequest.mirrorFlags, (call) => this.setFlags(call));
    const commands: readonly CommandRow<MirrorContext>[] = [
      [
        IoctlRequest.mirrorRead,
        (context, { page, npages, a, payload }) =>
          driver.read(context, page, npages, sinkOf(payload), a === 1),
      ],
      [
        IoctlRequest.mirrorWrite,
        (context, { page, npages, payload }) => driver.write(context, page, npages, sourceOf(payload)),
      ],
      [
        IoctlRequest.mirrorMigrateToDevice,
        (context, { page, npages, payload }) =>
          driver.migrateToDevice(context, page, npages, sinkOf(payload)),
      ],
      [
        IoctlRequest.mirrorMigrateToSystem,
        (context, { page, npages }) => driver.migrateToSystem(context, page, npages),
      ],
      ...viewCommandRows(driver.views),
    ];
    for (const [request, command] of commands) {
      ioctls.register(request, (call) => this.command(command, call));
    }
  }

  /** Of a process that has ended. @kernel exit_files */
  *closeAll(mm: Mm): Steps<void> {
    for (const context of this.contexts.filter((one) => one.mm === mm)) yield* this.drop(context);
  }

  /** -EBUSY when the process has the device open already. -ENODEV also for a process that ends meanwhile: nobody would close what it opens. */
  private *open({ mm, device }: IoctlCall): Steps<IoctlReply> {
    const target = this.driver.devices[device];
    if (target === undefined) return ioctlReply(Errno.ENODEV);
    if (this.find(mm, device) !== null) return ioctlReply(Errno.EBUSY);
    const context = yield* target.open(mm);
    if (typeof context === 'number') return ioctlReply(context);
    if (!this.isAlive(mm)) {
      yield* target.close(context);
      return ioctlReply(Errno.ENODEV);
    }
    this.contexts.push(context);
    return ioctlReply(Errno.OK);
  }

  private *close({ mm, device }: IoctlCall): Steps<IoctlReply> {
    const context = this.find(mm, device);
    if (context === null) return ioctlReply(Errno.ENODEV);
    yield* this.drop(context);
    return ioctlReply(Errno.OK);
  }

  private *drop(context: MirrorContext): Steps<void> {
    this.contexts.splice(this.contexts.indexOf(context), 1);
    yield* context.device.close(context);
  }

  private *evict({ device }: IoctlCall): Steps<IoctlReply> {
    const target = this.driver.devices[device];
    if (target === undefined) return ioctlReply(Errno.ENODEV);
    yield* target.evictAll();
    return ioctlReply(Errno.OK);
  }

  private *setFlags({ mm, device, a, b }: IoctlCall): Steps<IoctlReply> {
    const context = this.find(mm, device);
    if (context === null) return ioctlReply(Errno.ENODEV);
    this.driver.setFlags(context, a, b);
    return ioctlReply(Errno.OK);
  }

  private *command(command: CommandCall<MirrorContext>, call: IoctlCall): Steps<IoctlReply> {
    const context = this.find(call.mm, call.device);
    if (context === null) return ioctlReply(Errno.ENODEV);
    return replyOf(yield* command(context, call));
  }

  private find(mm: Mm, device: number): MirrorContext | null {
    return this.contexts.find((context) => context.mm === mm && context.device.index === device) ?? null;
  }
}
