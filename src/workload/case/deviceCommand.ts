/** A command of a device for a span of a buffer, as a call of the process that has the device, with the result as expectations know it. */

import { Errno } from '../../base/errno.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import type { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CallReply } from '../workload.js';
import type { CaseSpan, CaseThread } from './caseThread.js';
import { payloadPages } from './payloadPages.js';

export interface DeviceSpanArgs {
  readonly proc?: string | undefined;
  readonly dev: string;
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

/** Counts are told only of a command that succeeded. */
export function counted({ errno, a, b }: CallReply): StepResult {
  return errno === Errno.OK ? { ret: errno, cpages: a, faults: b } : { ret: errno };
}

export function* deviceCommand(
  thread: CaseThread,
  request: IoctlRequest,
  args: DeviceSpanArgs,
  a = 0,
): Steps<{ span: CaseSpan; reply: CallReply }> {
  const span = thread.span(yield* thread.enter(args.proc), args);
  const device = thread.device(args.dev);
  const reply = yield* thread.host.ioctl(request, device, span.page, span.npages, a, 0);
  return { span, reply };
}

/** A command that also gives back the content of the pages. */
export function* readingCommand(
  thread: CaseThread,
  request: IoctlRequest,
  args: DeviceSpanArgs,
  a = 0,
): Steps<StepResult> {
  const { span, reply } = yield* deviceCommand(thread, request, args, a);
  const result = counted(reply);
  if (result.ret !== 0) return result;
  return { ...result, data: payloadPages(thread, span.npages), firstPage: span.firstPage };
}
