/** B109: the callback reads the inline pages of a range that has an array. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b109: BugOverlay = {
  id: 'B109',
  title: 'inline pages are read where there is an array',
  wrong:
    'One pages object is kept inline, several in an array, in the same place. The callback goes by a number that was not updated when the array came: what it takes for flags says that nothing is mapped, and nothing is unmapped.',
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'a page that two devices have read is dropped',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } },
      { op: 'madvise', args: { buf: 'A', advice: 'dontneed' } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'assertion' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation }) =>
      replaceMethod(
        invalidation,
        'unmapParts',
        (right) => (range, parts) => right(range, range.numPages === 1 ? parts : []),
      ),
    ),
};
