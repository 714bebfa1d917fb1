/** B29: a fault looks at a device page before it has a reference to it. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

const read = { op: 'cpu_read', args: { buf: 'A' } };

export const b029: BugOverlay = {
  id: 'B29',
  title: 'a device page is freed before a fault has its reference',
  wrong:
    'The fault reads the entry, lets go of the page-table lock, and only then locks the page and takes a reference. Another fault has brought it home meanwhile, and the page is free, or somebody else has it.',
  reference: '16ce101db85d, mm/memory.c: fix race when faulting a device private page',
  subject: bugCase({
    name: 'two threads read a page that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent([read], [read]),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: ({ sched, coordinator: { calls } }) =>
    replaceMethod(
      calls.faults,
      'bringHome',
      (right) =>
        function* (mm, vma, page, pte) {
          // Its CPU has other things to do.
          yield* sched.sleep(2_000);
          return yield* right(mm, vma, page, pte);
        },
    ),
};
