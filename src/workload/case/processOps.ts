/** Operations of a case that make and end processes. */

import { vpn } from '../../base/units.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CaseThread } from './caseThread.js';
import { type OpHandlers, returned } from './opHandler.js';

const NO_PAGE = vpn(0);

/** The thread leaves the process first: a thread of an ended process runs nothing. */
function* end(thread: CaseThread, request: number, named: string | undefined): Steps<StepResult> {
  const name = named ?? thread.home;
  const { mm } = thread.process(name);
  yield* thread.leave();
  const { errno } = yield* thread.host.ioctl(request, -1, NO_PAGE, 0, mm, 0);
  thread.processes.delete(thread.expand(name));
  return returned(errno);
}

export const processOps: OpHandlers<'fork' | 'exit' | 'kill'> = {
  /** The child has the same buffers at the same addresses. */
  *fork(thread, { proc, child }) {
    thread.requireNoProcess(child);
    const process = yield* thread.enter(proc);
    const { errno, a } = yield* thread.host.ioctl(IoctlRequest.fork, -1, NO_PAGE, 0, 0, 0);
    if (errno !== 0) return returned(errno);
    thread.addProcess(child, process, a);
    return returned(errno);
  },

  exit: (thread, { proc }) => end(thread, IoctlRequest.exit, proc),
  kill: (thread, { proc }) => end(thread, IoctlRequest.kill, proc),
};
