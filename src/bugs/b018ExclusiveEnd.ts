/** B18: a tree of inclusive spans is asked with the end that is not part of the span. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b018: BugOverlay = {
  id: 'B18',
  title: 'a look-up finds the neighbour',
  wrong:
    'The interval tree takes the last address of a span, and is given the one after it. An address just before a range is found to be in it: the fault maps the neighbour, and comes again.',
  reference: 'drm_gpusvm_notifier_find and its callers in early versions',
  subject: bugCase({
    name: 'a device reads the second page, then the first',
    steps: [
      ...mirrorOn(1),
      buffer('A', 2),
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 1, pages: 1 } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'livelock' }, { kind: 'invariant' }],
  apply: (machine) =>
    everyMirror(machine, ({ gpusvm: { finder } }) => {
      if (finder === null) return;
      replaceMethod(finder, 'notifierAlloc', (right) => (page) => {
        const notifier = right(page);
        if (notifier !== null) {
          replaceMethod(notifier, 'rangeFind', (find) => (start, end) => find(start, end + 1));
        }
        return notifier;
      });
    }),
};
