/** A child process that is forked while devices store to the parent's memory: what it must see, and what the parent must not see of it. */

import { Errno } from '../base/errno.js';
import { formatVpn, type Vpn, vpn } from '../base/units.js';
import { type AccessPort, holdPage } from '../memory/accessPort.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { toErrno } from './hostSteps.js';
import type { HostContext } from './workload.js';

/** The process that programs start in. */
const PARENT = 1;
const NO_DEVICE = -1;
const NO_PAGE = vpn(0);

/** What a fork needs of its host. */
export type ForkHost = AccessPort & Pick<HostContext, 'ioctl' | 'enterProcess'>;

/** A word of the parent at the moment of the fork. */
export interface ForkedWord {
  readonly page: Vpn;
  /** Index within the page. */
  readonly slot: number;
  /** Only the thread that forks stores there, so it is known exactly. */
  readonly value: number;
}

export interface ForkResult {
  readonly errno: Errno;
  /** What the child saw that it must not; null for nothing. */
  readonly wrong: string | null;
}

/**
 * Forks, looks from within the child whether it has what the parent had, stores other values there, which the parent must not see, and ends the
 * child. While it lasts the thread is the child's: whatever else it does must wait. Errors: those of fork; the child is gone in any case.
 */
export function* forkAndCheck(host: ForkHost, words: readonly ForkedWord[]): Steps<ForkResult> {
  const { errno, a: child } = yield* host.ioctl(IoctlRequest.fork, NO_DEVICE, NO_PAGE, 0, 0, 0);
  if (errno !== Errno.OK) return { errno, wrong: null };
  let result: ForkResult = { errno: yield* host.enterProcess(child), wrong: null };
  for (const word of words) {
    if (result.errno !== Errno.OK || result.wrong !== null) break;
    result = yield* checkWord(host, word);
  }
  const back = yield* host.enterProcess(PARENT);
  const ended = yield* host.ioctl(IoctlRequest.exit, NO_DEVICE, NO_PAGE, 0, child, 0);
  const errnos = [result.errno, back, ended.errno];
  return { ...result, errno: errnos.find((one) => one !== Errno.OK) ?? Errno.OK };
}

/** The store makes the page the child's own. */
function* checkWord(host: ForkHost, { page, slot, value }: ForkedWord): Steps<ForkResult> {
  const before = yield* holdPage(host, page, false);
  if (before < 0) return { errno: toErrno(before), wrong: null };
  const found = Atomics.load(host.memory.words, before + slot);
  host.release();
  if (found !== value)
    return {
      errno: Errno.OK,
      wrong: `page ${formatVpn(page)}: a child has ${hex(found)} in word ${slot}, forked from ${hex(value)}`,
    };
  const at = yield* holdPage(host, page, true);
  if (at < 0) return { errno: toErrno(at), wrong: null };
  Atomics.store(host.memory.words, at + slot, ~value);
  host.release();
  return { errno: Errno.OK, wrong: null };
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16)}`;
}
