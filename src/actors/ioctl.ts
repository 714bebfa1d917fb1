/** Calls of an application to a driver: one message for all of them, served by whichever handler is registered for the request. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';

/** One call as its handler sees it. What the numbers and the payload mean is told where the request is named. */
export interface IoctlCall {
  /** Of the process that calls. */
  readonly mm: Mm;
  /** Index of the CPU thread that calls. */
  readonly thread: number;
  /** Index of the device that the call is about; -1 for none. */
  readonly device: number;
  readonly page: Vpn;
  readonly npages: number;
  readonly a: number;
  readonly b: number;
  /** Holds the arguments that are no numbers; the handler puts its answer there. */
  readonly payload: CallPayload;
}

/** `a` and `b` are results that the request defines, 0 where it has none. */
export interface IoctlReply {
  readonly errno: Errno;
  readonly a: number;
  readonly b: number;
}

/** May sleep; holds no lock when it is entered and when it returns. */
export type IoctlHandler = (call: IoctlCall) => Steps<IoctlReply>;

/** A reply that is an errno alone. */
export function ioctlReply(errno: Errno, a = 0, b = 0): IoctlReply {
  return { errno, a, b };
}

/**
 * The Coordinator's handlers by request. A driver registers its own when it is built:
 * `ioctls.register(IoctlRequest.mirrorSnapshot, (call) => mirror.snapshot(call))`. Drivers of users number theirs from `OWN_REQUEST_FIRST` on.
 */
export class IoctlTable {
  private readonly handlers = new Map<number, IoctlHandler>();

  register(request: number, handler: IoctlHandler): void {
    assert(!this.handlers.has(request), () => `ioctl ${request} has two handlers`);
    this.handlers.set(request, handler);
  }

  /** -ENOTTY of the kernel: the driver does not know the request. */
  *handle(request: number, call: IoctlCall): Steps<IoctlReply> {
    const handler = this.handlers.get(request);
    if (handler === undefined) return ioctlReply(Errno.EOPNOTSUPP);
    return yield* handler(call);
  }
}
