/** Pipes with which the threads of one program talk to one another and wait for one another, through the kernel. */

import { Errno } from '../base/errno.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

interface Pipe {
  readonly messages: unknown[];
  readonly readers: WaitQueue;
}

/** They exist as soon as they are named. A message goes to one reader. @kernel pipe_inode_info */
export class Pipes {
  private readonly byNumber = new Map<number, Pipe>();

  constructor(private readonly sched: Scheduler) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.pipeRead, (call) => this.read(call));
    ioctls.register(IoctlRequest.pipeWrite, (call) => this.write(call));
  }

  private *read({ a, payload }: IoctlCall): Steps<IoctlReply> {
    const pipe = this.pipe(a);
    while (pipe.messages.length === 0) yield* pipe.readers.wait();
    payload.put(pipe.messages.shift());
    return ioctlReply(Errno.OK);
  }

  private *write({ a, payload }: IoctlCall): Steps<IoctlReply> {
    const pipe = this.pipe(a);
    pipe.messages.push(payload.get());
    pipe.readers.wakeAll();
    return ioctlReply(Errno.OK);
  }

  private pipe(number: number): Pipe {
    let pipe = this.byNumber.get(number);
    if (pipe === undefined) {
      pipe = { messages: [], readers: new WaitQueue(this.sched, `a message in pipe ${number}`) };
      this.byNumber.set(number, pipe);
    }
    return pipe;
  }
}
