/** B86: whoever closes a mirror waits for the worker, with the lock that the worker needs. */

import type { Task } from '../sim/task.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b086: BugOverlay = {
  id: 'B86',
  title: 'closing waits for a worker that waits for the closer',
  wrong:
    'At the end of a process the driver flushes its worker while it holds the lock of the address space. The worker, which the end of the memory has just queued, waits for that lock.',
  reference: '6225bb3a88d2 (amdkfd, restore work at exit)',
  subject: bugCase({
    name: 'a process that a device mirrors ends',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'exit', args: { proc: 'p0' } },
    ],
  }),
  expected: [{ kind: 'deadlock' }],
  apply: (machine) =>
    everyMirror(machine, ({ collector, vmLock }) => {
      let worker: Task | null = null;
      const idle = new WaitQueue(machine.sched, 'the end of the garbage collector', () =>
        worker === null ? [] : [worker],
      );
      replaceMethod(
        collector,
        'work',
        (right) =>
          function* () {
            worker = machine.sched.self;
            yield* right();
            worker = null;
            idle.wakeAll();
          },
      );
      replaceMethod(
        collector,
        'disable',
        (right) =>
          function* () {
            yield* vmLock.write();
            // As flushing does, without its place in the order of locks, which would tell before anybody waits.
            while (collector.hasWork || worker !== null) yield* idle.wait();
            vmLock.writeUnlock();
            yield* right();
          },
      );
    }),
};
