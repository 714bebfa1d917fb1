/** B66: of several ranges that one invalidation meets the TLB forgets the last one, and what was notified, only. */

import type { InvalidationWindow } from '../driver/invalidation.js';
import type { NotifierRange } from '../mm/mirror/mmuNotifier.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b066: BugOverlay = {
  id: 'B66',
  title: 'the TLB keeps the part of an earlier range that lies before an invalidation',
  wrong:
    'The window of the one TLB invalidation is set anew for each range, to hold that range and what is notified, where it should grow. Of a range that begins before what is notified, with another range behind it, the device keeps translations of the pages before, while their entries and DMA mappings go.',
  reference: 'xe_svm_range_notifier_event_begin, as read; no fix is known',
  subject: bugCase({
    name: 'the end of one range and the range behind it are unmapped at once',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 32),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 16, pages: 1 } },
      { op: 'munmap', args: { buf: 'A', off: 8, pages: 24 } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'I4' }],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation }) => {
      // Of an invalidation under way; mirrors handle one at a time.
      let notified: NotifierRange | null = null;
      replaceMethod(
        invalidation,
        'invalidate',
        (right) =>
          function* (gpusvm, notifier, event) {
            notified = event;
            yield* right(gpusvm, notifier, event);
            notified = null;
          },
      );
      replaceMethod(invalidation, 'widen', () => (window, range) => {
        setWindow(window, range, notified ?? range);
      });
    }),
};

function setWindow(window: InvalidationWindow, range: InvalidationWindow, event: InvalidationWindow): void {
  window.start = Math.min(range.start, event.start);
  window.end = Math.max(range.end, event.end);
}
