/** Operations that both drivers have, on a GPU of the reference driver: explicit migration, eviction, and allocations that fail. */

import { Errno } from '../../base/errno.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CallReply } from '../workload.js';
import type { CaseThread } from './caseThread.js';
import { launchRead } from './gpuOps.js';
import { type OpArgs, type OpHandlers, returned } from './opHandler.js';

type MigrateArgs = OpArgs['migrate_to_device'] | OpArgs['migrate_to_sys'];

/** A prefetch moves the span to where it is wanted. */
function* move(thread: CaseThread, args: MigrateArgs, target: string): Steps<CallReply> {
  const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
  thread.host.payload.put(target);
  const device = thread.device(args.dev);
  return yield* thread.host.ioctl(IoctlRequest.svmPrefetch, device, page, npages, 0, 0);
}

function* onDevice(
  thread: CaseThread,
  { proc, dev }: { proc?: string | undefined; dev: string },
  request: IoctlRequest,
  a: number,
): Steps<StepResult> {
  const page = thread.unused(yield* thread.enter(proc));
  return returned((yield* thread.host.ioctl(request, thread.device(dev), page, 1, a, 0)).errno);
}

export const vramOps: OpHandlers<
  'migrate_to_device' | 'migrate_to_sys' | 'evict_device' | 'inject_alloc_failure'
> = {
  /** As with the test device the result is what the device then reads. */
  *migrate_to_device(thread, args) {
    const { errno } = yield* move(thread, args, args.dev);
    return errno === Errno.OK ? yield* launchRead(thread, args) : { ret: errno };
  },

  *migrate_to_sys(thread, args) {
    const { errno, b: left } = yield* move(thread, args, 'sys');
    return errno === Errno.OK ? { ret: errno, cpages: left } : { ret: errno };
  },

  evict_device: (thread, args) => onDevice(thread, args, IoctlRequest.vramEvict, 0),

  inject_alloc_failure: (thread, args) => onDevice(thread, args, IoctlRequest.vramFail, args.count),
};
