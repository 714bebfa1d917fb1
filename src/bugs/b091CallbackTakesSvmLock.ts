/** B91: the invalidation callback takes the lock of the ranges, which faults hold where they cause invalidations. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b091: BugOverlay = {
  id: 'B91',
  title: 'the callback takes the lock of the ranges',
  wrong:
    'The callback takes the lock under which ranges are found. A fault that looks for its range holds that lock and waits for mmap_lock, whose holder raises the invalidation.',
  reference: 'amdkfd: circular locking in svm_range_cpu_invalidate_pagetables, 2024 and 2025',
  subject: bugCase({
    name: 'a page goes while a device looks for its neighbour',
    steps: [
      ...mirrorOn(1),
      buffer('A', 2),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 1, pages: 1 } }],
        [{ op: 'munmap', args: { buf: 'A', off: 0, pages: 1 } }],
      ),
    ],
  }),
  expected: [
    { kind: 'invariant', invariant: 'L3' },
    { kind: 'deadlock' },
    { kind: 'invariant', invariant: 'I5' },
  ],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation, svmLock }) =>
      replaceMethod(
        invalidation,
        'invalidate',
        (right) =>
          function* (...event) {
            yield* svmLock.lock();
            yield* right(...event);
            svmLock.unlock();
          },
      ),
    ),
};
