/** B107: the invalidation callback ends DMA for the first device of a range only. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b107: BugOverlay = {
  id: 'B107',
  title: 'callback unmaps only the first device of a range',
  wrong:
    'A range has one pages object per device, and the callback was written for one: it unmaps the first. The others keep addresses of pages that go.',
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'two devices read a page that is unmapped',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pattern: { p: 'const', v: 1 } } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 }, as: 'r0' }],
        [{ op: 'gpu_read', args: { dev: 'gpu1', buf: 'A', off: 0, pages: 1 }, as: 'r1' }],
      ),
      { op: 'munmap', args: { buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'assertion' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation }) =>
      replaceMethod(invalidation, 'unmapParts', (right) => (range, parts) => right(range, parts.slice(0, 1))),
    ),
};
