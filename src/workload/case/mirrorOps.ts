/** Operations of a case on the test device: its commands, as calls of the process that has opened it. */

import { Errno } from '../../base/errno.js';
import { PAGE_WORDS } from '../../base/units.js';
import { contentOf, fillPage, type PageContent } from '../../case/pageContent.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CallReply } from '../workload.js';
import type { CaseSpan, CaseThread } from './caseThread.js';
import { type OpHandlers, returned } from './opHandler.js';

/** @kernel HMM_DMIRROR_FLAG_FAIL_ALLOC */
const FAIL_ALLOC = 1;

interface DeviceSpanArgs {
  readonly proc?: string | undefined;
  readonly dev: string;
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

/** Counts are told only of a command that succeeded. */
function counted({ errno, a, b }: CallReply): StepResult {
  return errno === Errno.OK ? { ret: errno, cpages: a, faults: b } : { ret: errno };
}

function* command(
  thread: CaseThread,
  request: number,
  args: DeviceSpanArgs,
  a = 0,
): Steps<{ span: CaseSpan; reply: CallReply }> {
  const span = thread.span(yield* thread.enter(args.proc), args);
  const device = thread.device(args.dev);
  const reply = yield* thread.host.ioctl(request, device, span.page, span.npages, a, 0);
  return { span, reply };
}

/** A command that also gives back the content of the pages. */
function* reading(thread: CaseThread, request: number, args: DeviceSpanArgs, a = 0): Steps<StepResult> {
  const { span, reply } = yield* command(thread, request, args, a);
  const result = counted(reply);
  if (result.ret !== 0) return result;
  return { ...result, data: payloadPages(thread, span.npages), firstPage: span.firstPage };
}

function payloadPages(thread: CaseThread, npages: number): PageContent[] {
  const { words } = thread.host.payload;
  return Array.from({ length: npages }, (_, i) => contentOf(words, i * PAGE_WORDS));
}

export const mirrorOps: OpHandlers<
  'migrate_to_device' | 'migrate_to_sys' | 'evict_device' | 'exclusive' | 'check_exclusive' | 'snapshot'
> = {
  migrate_to_device: (thread, args) => reading(thread, IoctlRequest.mirrorMigrateToDevice, args),

  *migrate_to_sys(thread, args) {
    return counted((yield* command(thread, IoctlRequest.mirrorMigrateToSystem, args)).reply);
  },

  *evict_device(thread, { proc, dev }) {
    const process = yield* thread.enter(proc);
    const page = [...process.buffers.values()][0]?.start ?? thread.unused(process);
    const { errno } = yield* thread.host.ioctl(IoctlRequest.mirrorRelease, thread.device(dev), page, 1, 0, 0);
    return returned(errno);
  },

  exclusive: (thread, args) => reading(thread, IoctlRequest.mirrorExclusive, args),

  *check_exclusive(thread, args) {
    return counted((yield* command(thread, IoctlRequest.mirrorCheckExclusive, args)).reply);
  },

  *snapshot(thread, args) {
    const { span, reply } = yield* command(thread, IoctlRequest.mirrorSnapshot, args);
    const result = counted(reply);
    if (result.ret !== 0) return result;
    const prot = thread.host.payload.bytes.slice(0, span.npages);
    return { ...result, prot, firstPage: span.firstPage };
  },
};

export const mirrorDeviceOps: OpHandlers<
  'gpu_read' | 'gpu_write' | 'bind_mirror' | 'unbind_mirror' | 'inject_alloc_failure'
> = {
  gpu_read: (thread, args) =>
    reading(thread, IoctlRequest.mirrorRead, args, args.allow_lock_drop === true ? 1 : 0),

  *gpu_write(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const { words } = thread.host.payload;
    for (let i = 0; i < span.npages; i++) fillPage(words, i * PAGE_WORDS, args.pattern, span.firstPage + i);
    return counted((yield* command(thread, IoctlRequest.mirrorWrite, args)).reply);
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
