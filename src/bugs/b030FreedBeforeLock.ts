/** B30: a fault waits for the lock of a device-exclusive page without a reference to it. */

import { ptePfn } from '../mm/table/pte.js';
import { STEP } from '../sim/steps.js';
import { buffer, bugCase, concurrent } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b030: BugOverlay = {
  id: 'B30',
  title: 'a device-exclusive page is freed before it is locked',
  wrong:
    'The fault sleeps until the page is unlocked and holds nothing meanwhile. The page goes with its last entry, and the fault locks and unlocks one that is free, or that is another now.',
  reference: '7c7b962938dd, mm: take a page reference when removing device exclusive entries',
  subject: bugCase({
    name: 'an exclusive page is read and dropped',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'exclusive', args: { dev: 'gpu0', buf: 'A' } },
      concurrent(
        [{ op: 'cpu_read', args: { buf: 'A' } }],
        [{ op: 'madvise', args: { buf: 'A', advice: 'dontneed' } }],
      ),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: ({ coordinator: { kernel, calls } }) =>
    replaceMethod(
      calls.faults.exclusive,
      'restoreAtFault',
      (right) =>
        function* (mm, vma, page, pte, flags) {
          yield STEP;
          yield* kernel.folioLocks.lock(ptePfn(pte));
          kernel.folioLocks.unlock(ptePfn(pte));
          return yield* right(mm, vma, page, pte, flags);
        },
    ),
};
