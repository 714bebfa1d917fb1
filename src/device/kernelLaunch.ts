/** One run of a kernel on a GPU: a task per context, and their common end. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { Completion } from '../sim/completion.js';
import type { Gate } from '../sim/gate.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import type { GpuContext } from './gpuContext.js';

/** What each context runs: OK at its end, or early the errno of an access that was illegal. */
export type GpuKernel = (context: GpuContext) => Steps<Errno>;

export class KernelLaunch {
  private running: number;
  private firstError: Errno = Errno.OK;
  private readonly ended: Completion;

  constructor(
    private readonly sched: Scheduler,
    private readonly gate: Gate,
    private readonly name: string,
    private readonly contexts: readonly GpuContext[],
  ) {
    assert(contexts.length > 0, () => `${name} has no context to run on`);
    this.running = contexts.length;
    this.ended = new Completion(sched, `the end of ${name}`);
  }

  /** Starts all contexts and waits for all; the first error that any of them returned, else OK. */
  *run(actor: ActorId, kernel: GpuKernel): Steps<Errno> {
    for (const context of this.contexts) {
      this.gate.join();
      this.sched.spawn(actor, `${this.name}.${context.index}`, this.runContext(kernel, context));
    }
    yield* this.ended.wait();
    return this.firstError;
  }

  private *runContext(kernel: GpuKernel, context: GpuContext): Steps<void> {
    const errno = yield* kernel(context);
    // That the run ended meanwhile counts only where nothing went wrong.
    const isBetter = this.firstError === Errno.EINTR && errno !== Errno.OK;
    if (this.firstError === Errno.OK || isBetter) this.firstError = errno;
    this.gate.leave();
    this.running--;
    if (this.running === 0) this.ended.completeAll();
  }
}
