/** Commands of test devices as driver calls: what of a call they take, and what is replied. */

import { assert } from '../base/assert.js';
import { isErrno } from '../base/errno.js';
import { PAGE_WORDS } from '../base/units.js';
import type { MirrorResult, PageSink, PageSource } from '../driver/mirror/mirrorResult.js';
import type { MirrorView } from '../driver/mirror/mirrorView.js';
import type { ViewCommands } from '../driver/mirror/viewCommands.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, ioctlReply } from './ioctl.js';

/** One command of an open device. */
export type CommandCall<V extends MirrorView> = (view: V, call: IoctlCall) => Steps<MirrorResult>;

export type CommandRow<V extends MirrorView> = readonly [IoctlRequest, CommandCall<V>];

/** Those that any device can be given. */
export function viewCommandRows(commands: ViewCommands): readonly CommandRow<MirrorView>[] {
  return [
    [
      IoctlRequest.mirrorSnapshot,
      (view, { page, npages, payload }) => commands.snapshot(view, page, npages, payload.bytes),
    ],
    [
      IoctlRequest.mirrorExclusive,
      (view, { page, npages, payload }) => commands.exclusive(view, page, npages, sinkOf(payload)),
    ],
    [
      IoctlRequest.mirrorCheckExclusive,
      (view, { page, npages }) => commands.checkExclusive(view, page, npages),
    ],
  ];
}

export function replyOf({ errno, cpages, faults }: MirrorResult): IoctlReply {
  assert(isErrno(errno), () => `${errno} is no errno`);
  return ioctlReply(errno, cpages, faults);
}

/** What is read goes into the payload, page by page. */
export function sinkOf({ words }: CallPayload): PageSink {
  return { take: (index, page) => words.set(page, index * PAGE_WORDS) };
}

/** What is written comes from the payload. */
export function sourceOf({ words }: CallPayload): PageSource {
  return { fill: (index, page) => page.set(words.subarray(index * PAGE_WORDS, (index + 1) * PAGE_WORDS)) };
}
