/** A fence: says once that the hardware has finished something. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { invalidateMap } from '../mm/mirror/mmuNotifier.js';
import { Completion } from '../sim/completion.js';
import { LockMap } from '../sim/lockMap.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';

const fenceMap = new LockMap('fence');

/** Signalled once, and never unsignalled; any number of tasks may wait for it. @kernel dma_fence */
export class DmaFence {
  private readonly done: Completion;
  private result: Errno = Errno.OK;

  constructor(
    private readonly sched: Scheduler,
    what: string,
  ) {
    // Callbacks may wait for fences, whether or not one does. @kernel dma_resv_lockdep
    sched.lockOrder.acquire(invalidateMap.lockClass, fenceMap.lockClass);
    this.done = new Completion(sched, `fence of ${what}`);
  }

  /** Whether what it stands for has ended, well or not. @kernel dma_fence_is_signaled */
  get isSignalled(): boolean {
    return this.done.isDone;
  }

  /** The current task is who signals fences like this one: until {@link endSignalling} it may take nothing that a waiter can have. @kernel dma_fence_begin_signalling */
  beginSignalling(): void {
    this.sched.enter(fenceMap);
  }

  /** It has signalled, or somebody else will. @kernel dma_fence_end_signalling */
  endSignalling(): void {
    this.sched.leave(fenceMap);
  }

  /** Once. `errno` is how it ended; whoever waits goes on in any case. @kernel dma_fence_signal, dma_fence_set_error */
  signal(errno: Errno = Errno.OK): void {
    assert(!this.done.isDone, 'a fence is signalled twice');
    this.result = errno;
    this.done.completeAll();
  }

  /** Returns how it ended. @kernel dma_fence_wait */
  *wait(): Steps<Errno> {
    this.sched.order(fenceMap.lockClass);
    yield* this.done.wait();
    return this.result;
  }
}
