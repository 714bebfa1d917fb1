/** Operations of a case on the test device: its commands, as calls of the process that has opened it. */

import { PAGE_WORDS } from '../../base/units.js';
import { fillPage } from '../../case/pageContent.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import { counted, deviceCommand, readingCommand } from './deviceCommand.js';
import { type OpHandlers, returned } from './opHandler.js';

/** @kernel HMM_DMIRROR_FLAG_FAIL_ALLOC */
const FAIL_ALLOC = 1;

export const mirrorOps: OpHandlers<
  | 'gpu_read'
  | 'gpu_write'
  | 'bind_mirror'
  | 'unbind_mirror'
  | 'migrate_to_device'
  | 'migrate_to_sys'
  | 'evict_device'
  | 'inject_alloc_failure'
> = {
  migrate_to_device: (thread, args) => readingCommand(thread, IoctlRequest.mirrorMigrateToDevice, args),

  *migrate_to_sys(thread, args) {
    return counted((yield* deviceCommand(thread, IoctlRequest.mirrorMigrateToSystem, args)).reply);
  },

  *evict_device(thread, { proc, dev }) {
    const process = yield* thread.enter(proc);
    const page = [...process.buffers.values()][0]?.start ?? thread.unused(process);
    const { errno } = yield* thread.host.ioctl(IoctlRequest.mirrorRelease, thread.device(dev), page, 1, 0, 0);
    return returned(errno);
  },

  gpu_read: (thread, args) =>
    readingCommand(thread, IoctlRequest.mirrorRead, args, args.allow_lock_drop === true ? 1 : 0),

  *gpu_write(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const { words } = thread.host.payload;
    // What has no room there the call refuses.
    const npages = Math.min(span.npages, words.length / PAGE_WORDS);
    for (let i = 0; i < npages; i++) fillPage(words, i * PAGE_WORDS, args.pattern, span.firstPage + i);
    return counted((yield* deviceCommand(thread, IoctlRequest.mirrorWrite, args)).reply);
  },

  *bind_mirror(thread, { proc, dev }) {
    const page = thread.unused(yield* thread.enter(proc));
    const reply = yield* thread.host.ioctl(IoctlRequest.mirrorOpen, thread.device(dev), page, 1, 0, 0);
    return returned(reply.errno);
  },

  *unbind_mirror(thread, { proc, dev }) {
    const page = thread.unused(yield* thread.enter(proc));
    const reply = yield* thread.host.ioctl(IoctlRequest.mirrorClose, thread.device(dev), page, 1, 0, 0);
    return returned(reply.errno);
  },

  /** So many of the next allocations for the process fail, of device memory or on the way home. */
  *inject_alloc_failure(thread, { proc, dev, count }) {
    const page = thread.unused(yield* thread.enter(proc));
    const { mirrorFlags } = IoctlRequest;
    const device = thread.device(dev);
    const reply = yield* thread.host.ioctl(mirrorFlags, device, page, 1, FAIL_ALLOC, count);
    return returned(reply.errno);
  },
};
