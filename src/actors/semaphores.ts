/** Counters with which the threads of one program wait for one another, in the kernel as futexes are. */

import { Errno } from '../base/errno.js';
import { IoctlRequest } from '../mm/ioctlRequest.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

interface Semaphore {
  value: number;
  readonly waiters: WaitQueue;
}

/** They exist as soon as they are named, with value 0. */
export class Semaphores {
  private readonly byNumber = new Map<number, Semaphore>();

  constructor(private readonly sched: Scheduler) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.semaphoreDown, (call) => this.down(call));
    ioctls.register(IoctlRequest.semaphoreUp, (call) => this.up(call));
  }

  private *down({ a }: IoctlCall): Steps<IoctlReply> {
    const semaphore = this.semaphore(a);
    while (semaphore.value === 0) yield* semaphore.waiters.wait();
    semaphore.value--;
    return ioctlReply(Errno.OK);
  }

  private *up({ a, b }: IoctlCall): Steps<IoctlReply> {
    const semaphore = this.semaphore(a);
    semaphore.value += b;
    semaphore.waiters.wakeAll();
    return ioctlReply(Errno.OK);
  }

  private semaphore(number: number): Semaphore {
    let semaphore = this.byNumber.get(number);
    if (semaphore === undefined) {
      semaphore = { value: 0, waiters: new WaitQueue(this.sched, `semaphore ${number}`) };
      this.byNumber.set(number, semaphore);
    }
    return semaphore;
  }
}
