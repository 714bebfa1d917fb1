/** Linked lists of a case, built and followed by the CPU or a GPU. */

import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import type { CaseThread } from './caseThread.js';
import { launchCommand } from './gpuOps.js';
import { buildLists, listPool, verifyLists } from './linkedLists.js';
import type { OpHandlers } from './opHandler.js';

const CPU = new Set(['cpu', 'sys']);

interface ListArgs {
  readonly proc?: string | undefined;
  readonly on: string;
  readonly buf: string;
  readonly lists: number;
  readonly length: number;
}

function* onPlace(
  thread: CaseThread,
  { proc, on, buf, lists, length }: ListArgs,
  kind: 'buildLists' | 'verifyLists',
): Steps<StepResult> {
  const page = thread.buffer(yield* thread.enter(proc), buf).start;
  if (!CPU.has(on)) return yield* launchCommand(thread, thread.device(on), { kind, page, lists, length });
  const run = kind === 'buildLists' ? buildLists : verifyLists;
  const count = yield* run(thread.host, listPool(page, lists, length));
  return count < 0 ? { ret: count } : { ret: 0, value: count };
}

export const listOps: OpHandlers<'build_lists' | 'verify_lists'> = {
  build_lists: (thread, args) => onPlace(thread, args, 'buildLists'),
  verify_lists: (thread, args) => onPlace(thread, args, 'verifyLists'),
};
