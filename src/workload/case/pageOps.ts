/** Operations of a case on the state of pages: locking, pinning, reclaim, userfaults, and looking where pages are. */

import { Errno } from '../../base/errno.js';
import { vpn } from '../../base/units.js';
import { patternContent } from '../../case/pageContent.js';
import type { StepResult } from '../../case/stepResult.js';
import { GupFlag } from '../../mm/mirror/gup.js';
import { pagemapEntry } from '../../mm/table/pagemap.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CallReply } from '../workload.js';
import type { CaseSpan, CaseThread } from './caseThread.js';
import { type OpHandlers, returned } from './opHandler.js';
import { placesOf } from './placesOf.js';

const NO_DEVICE = -1;
const NO_PAGE = vpn(0);

interface SpanArgs {
  readonly proc?: string | undefined;
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

function* onSpan(
  thread: CaseThread,
  request: number,
  args: SpanArgs,
  a = 0,
  b = 0,
): Steps<{ span: CaseSpan; reply: CallReply }> {
  const span = thread.span(yield* thread.enter(args.proc), args);
  const reply = yield* thread.host.ioctl(request, NO_DEVICE, span.page, span.npages, a, b);
  return { span, reply };
}

function gupFlags(mode: string): number {
  const write = mode.endsWith('_write') ? GupFlag.Write : 0;
  const pin = mode.startsWith('pin_') ? GupFlag.Pin : 0;
  const longTerm = mode.includes('longterm') ? GupFlag.LongTerm : 0;
  return write | pin | longTerm;
}

function* returning(steps: Steps<{ reply: CallReply }>): Steps<StepResult> {
  return returned((yield* steps).reply.errno);
}

export const pageOps: OpHandlers<
  'mlock' | 'munlock' | 'pin_unpin' | 'reclaim' | 'pagemap_read' | 'query_residency' | 'uffd_register'
> = {
  mlock: (thread, args) => returning(onSpan(thread, IoctlRequest.mlock, args)),
  munlock: (thread, args) => returning(onSpan(thread, IoctlRequest.munlock, args)),

  pin_unpin: (thread, args) => {
    const isFast = args.mode.includes('fast') ? 1 : 0;
    return returning(onSpan(thread, IoctlRequest.pinUnpin, args, gupFlags(args.mode), isFast));
  },

  /** Without a buffer all memory of the process, as far as it can go. */
  *reclaim(thread, { proc, buf, off, pages }) {
    const process = yield* thread.enter(proc);
    const { page, npages } =
      buf === undefined ? { page: NO_PAGE, npages: 0 } : thread.span(process, { buf, off, pages });
    if (buf !== undefined && npages === 0) return returned(0);
    return returned((yield* thread.host.ioctl(IoctlRequest.reclaim, NO_DEVICE, page, npages, 0, 0)).errno);
  },

  *pagemap_read(thread, args) {
    const { span, reply } = yield* onSpan(thread, IoctlRequest.pagemapRead, args);
    if (reply.errno !== Errno.OK) return returned(reply.errno);
    const entries = [...thread.host.payload.bytes.subarray(0, span.npages)].map(pagemapEntry);
    const pagemap = entries.map(({ present, swapped, softDirty }) => ({ present, swap: swapped, softDirty }));
    return { ...returned(reply.errno), pagemap, firstPage: span.firstPage };
  },

  *query_residency(thread, args) {
    const { span, reply } = yield* onSpan(thread, IoctlRequest.readResidency, args);
    if (reply.errno !== Errno.OK) return returned(reply.errno);
    const residency = placesOf(thread.host.payload, span.npages);
    return { ...returned(reply.errno), residency, firstPage: span.firstPage };
  },

  /** The pattern counts from the start of the buffer, wherever the span begins. */
  *uffd_register(thread, args) {
    const { first, step } = patternContent(args.fill, args.off);
    return yield* returning(onSpan(thread, IoctlRequest.userfaultRegister, args, first, step));
  },
};
