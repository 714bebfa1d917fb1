/** B81: pages that come of a split are not counted, but uncounted when they go. */

import { bugCase, hugeBuffer, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b081: BugOverlay = {
  id: 'B81',
  title: 'a counter of device pages goes below zero',
  wrong: 'A large folio counts once. When it has been split each page that is freed takes one away.',
  reference: 'c2256c044a1d',
  subject: bugCase({
    name: 'half of a huge page on a device is unmapped',
    steps: [
      ...mirrorOn(1),
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 512, target: 'gpu0' } },
      { op: 'munmap', args: { buf: 'A', off: 256, pages: 256 } },
      { op: 'cpu_read', args: { buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { migrate } }) => replaceMethod(migrate, 'folioSplit', () => () => {}),
};
