/** B78: a page that a device has for itself is neither unlocked nor let go of. */

import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b078: BugOverlay = {
  id: 'B78',
  title: 'unlock and put are missing after make_device_exclusive',
  wrong:
    'The driver gets the page locked and with a reference, enters it in its table, and forgets both. The next thread that wants the page waits for ever.',
  reference: 'b3fefbb30a16',
  subject: bugCase({
    name: 'a thread reads a page that a device has for itself',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'exclusive', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'cpu_read', args: { buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'deadlock' }, { kind: 'leak' }],
  apply: ({ coordinator: { mirror } }) => {
    if (mirror !== null) replaceMethod(mirror.views.exclusives, 'letGo', () => () => {});
  },
};
