/** Operations of a case that look through a device, or take pages exclusively for it: those of the test device that any device has. */

import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import { counted, deviceCommand, readingCommand } from './deviceCommand.js';
import type { OpHandlers } from './opHandler.js';

export const viewOps: OpHandlers<'exclusive' | 'check_exclusive' | 'snapshot'> = {
  exclusive: (thread, args) => readingCommand(thread, IoctlRequest.mirrorExclusive, args),

  *check_exclusive(thread, args) {
    return counted((yield* deviceCommand(thread, IoctlRequest.mirrorCheckExclusive, args)).reply);
  },

  *snapshot(thread, args) {
    const { span, reply } = yield* deviceCommand(thread, IoctlRequest.mirrorSnapshot, args);
    const result = counted(reply);
    if (result.ret !== 0) return result;
    const prot = thread.host.payload.bytes.slice(0, span.npages);
    return { ...result, prot, firstPage: span.firstPage };
  },
};
