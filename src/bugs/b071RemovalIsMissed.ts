/** B71: whoever removes a notifier does not see that its removal is put off, and frees it. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { bindA, dropA, unbindA } from './programs/userptr.js';
import { replaceMethod } from './replaceMethod.js';

export const b071: BugOverlay = {
  id: 'B71',
  title: 'a notifier is freed while its removal is put off',
  wrong:
    'An invalidation that runs has the removal wait on a list. The remover reads the sequence without the lock, after that invalidation has gone on to the next one, and so does not wait: what it frees is still on the list.',
  reference: '319561669a59, mm/mmu_notifiers: ensure range_end is paired with range_start',
  subject: bugCase({
    name: 'memory is dropped while it is unbound',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      bindA,
      concurrent([unbindA], [dropA]),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant', invariant: 'I6' }],
  apply: ({ coordinator: { mm } }) => {
    const { notifiers } = mm;
    let isRemoving = false;
    replaceMethod(
      notifiers,
      'remove',
      (right) =>
        function* (sub) {
          isRemoving = true;
          yield* right(sub);
          isRemoving = false;
        },
    );
    replaceMethod(
      notifiers,
      'untilSeqChanges',
      (right) =>
        function* (seq) {
          if (!isRemoving) yield* right(seq);
          isRemoving = false;
        },
    );
  },
};
