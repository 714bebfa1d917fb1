/** A fence: says once that the hardware has finished something. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { Completion } from '../sim/completion.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';

/** Signalled once, and never unsignalled; any number of tasks may wait for it. @kernel dma_fence */
export class DmaFence {
  private readonly done: Completion;
  private result: Errno = Errno.OK;

  constructor(sched: Scheduler, what: string) {
    this.done = new Completion(sched, `fence of ${what}`);
  }

  /** Whether what it stands for has ended, well or not. @kernel dma_fence_is_signaled */
  get isSignalled(): boolean {
    return this.done.isDone;
  }

  /** Once. `errno` is how it ended; whoever waits goes on in any case. @kernel dma_fence_signal, dma_fence_set_error */
  signal(errno: Errno = Errno.OK): void {
    assert(!this.done.isDone, 'a fence is signalled twice');
    this.result = errno;
    this.done.completeAll();
  }

  /** Returns how it ended. @kernel dma_fence_wait */
  *wait(): Steps<Errno> {
    yield* this.done.wait();
    return this.result;
  }
}
