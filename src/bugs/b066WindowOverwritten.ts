/** B66: of several ranges that one invalidation meets the TLB forgets the last one only. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b066: BugOverlay = {
  id: 'B66',
  title: 'the TLB keeps all but the last range of an invalidation',
  wrong:
    'The window of the one TLB invalidation is set anew for each range, where it should grow. The device keeps translations of the ranges before.',
  reference: 'xe_svm_range_notifier_event_begin, as read; no fix is known',
  subject: bugCase({
    name: 'two pages that a device reads are unmapped at once',
    steps: [
      ...mirrorOn(1),
      buffer('A', 2),
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'munmap', args: { buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'invariant' }],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation }) =>
      replaceMethod(invalidation, 'widen', () => (window, { start, end }) => {
        window.start = start;
        window.end = end;
      }),
    ),
};
