/** Runs several operations side by side, each as a task, and waits for all of them. */

import { Errno } from '../base/errno.js';
import { Completion } from './completion.js';
import type { Scheduler } from './scheduler.js';
import type { Steps } from './steps.js';
import type { ActorId } from './task.js';

/** The first error that one of them returned, or OK. A single operation runs in the caller's task. */
export function* runAll(
  sched: Scheduler,
  actor: ActorId,
  name: string,
  operations: readonly Steps<Errno>[],
): Steps<Errno> {
  if (operations.length === 1) return yield* operations[0];
  let open = operations.length;
  let first: Errno = Errno.OK;
  const ended = new Completion(sched, `the end of ${name}`);
  const runOne = function* (operation: Steps<Errno>): Steps<void> {
    const errno = yield* operation;
    if (first === Errno.OK) first = errno;
    open--;
    if (open === 0) ended.completeAll();
  };
  operations.forEach((operation, i) => {
    sched.spawn(actor, `${name}.${i}`, runOne(operation));
  });
  if (open > 0) yield* ended.wait();
  return first;
}
