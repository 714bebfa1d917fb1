/** B24: after an invalidation the range is tried again with the sequence of before. */

import type { IntervalNotifier } from '../mm/mirror/mmuNotifier.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b024: BugOverlay = {
  id: 'B24',
  title: 'a retry does not read the sequence again',
  wrong:
    'The loop around hmm_range_fault goes on with what it read before the invalidation, so that every further round finds itself too late as well.',
  reference: '4e59bb46c2ce, an endless loop on -EBUSY',
  subject: bugCase({
    name: 'a page is dropped while a device reads it',
    steps: [
      ...mirrorOn(1),
      buffer('A', 2),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }],
        [{ op: 'madvise', args: { buf: 'A', off: 0, pages: 1, advice: 'dontneed' } }],
      ),
    ],
  }),
  expected: [{ kind: 'livelock' }, { kind: 'wrong-result' }],
  apply: ({ coordinator }) => {
    const first = new WeakMap<IntervalNotifier, number>();
    replaceMethod(coordinator.mm.notifiers, 'readSeq', (right) => (sub) => {
      const seq = first.get(sub) ?? right(sub);
      first.set(sub, seq);
      return seq;
    });
  },
};
