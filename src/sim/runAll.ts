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
  const ended = new Completion(sched, `the end of ${name}`);
  const group: Group = { open: operations.length, first: Errno.OK, ended };
  operations.forEach((operation, i) => {
    sched.spawn(actor, `${name}.${i}`, runOne(group, operation));
  });
  if (group.open > 0) yield* ended.wait();
  return group.first;
}

/** Operations that run side by side. */
interface Group {
  /** Those that have not ended. */
  open: number;
  /** The first error. */
  first: Errno;
  readonly ended: Completion;
}

function* runOne(group: Group, operation: Steps<Errno>): Steps<void> {
  const errno = yield* operation;
  if (group.first === Errno.OK) group.first = errno;
  group.open--;
  if (group.open === 0) group.ended.completeAll();
}
