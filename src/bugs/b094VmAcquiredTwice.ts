/** B94: whether a process has an address space on a device is looked at and set in two steps. */

import { STEP } from '../sim/steps.js';
import { bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b094: BugOverlay = {
  id: 'B94',
  title: 'two threads acquire the address space of a process',
  wrong:
    'The first call of a process opens its mirror: it looks whether there is one, sleeps, and opens it. Two first calls at a time open two, and one of them is used after it has been lost.',
  reference: '2c1030f2e848, CVE-2026-43370 (amdkfd)',
  subject: bugCase({
    name: 'a child binds from two threads',
    steps: [
      ...mirrorOn(2),
      { op: 'fork', args: { child: 'p1' } },
      concurrent(
        [{ op: 'bind_mirror', args: { proc: 'p1', dev: 'gpu0' } }],
        [{ op: 'bind_mirror', args: { proc: 'p1', dev: 'gpu1' } }],
      ),
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: ({ coordinator }) =>
    replaceMethod(
      coordinator,
      'acquireVm',
      (right) =>
        function* (mm, gpu) {
          const { mirrors } = coordinator;
          const isOpen = mirrors.isOpen(mm);
          yield STEP;
          if (!isOpen) mirrors.open(mm);
          return yield* right(mm, gpu);
        },
    ),
};
