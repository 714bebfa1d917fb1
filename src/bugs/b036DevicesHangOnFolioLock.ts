/** B36: the faults of two devices spin for a page that a third one has. */

import { buffer, bugCase, concurrent } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { spinForFolioLock } from './spinForFolioLock.js';

export const b036: BugOverlay = {
  id: 'B36',
  title: 'migration between devices hangs on the lock of a folio',
  wrong:
    'Two devices want a page of a third. The fault that one of them makes for it comes again and again without letting go of its CPU, and the one that has the lock waits for that CPU while it migrates.',
  reference: '10dd1eaa80a5 disabled such migrations, a99d34e5ecb9 allowed them again',
  subject: bugCase({
    name: 'a page that one device has, wanted by two others',
    steps: [
      ...[0, 1, 2].map((i) => ({ op: 'bind_mirror', args: { dev: `gpu${i}`, kind: 'private' } })),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } }],
        [{ op: 'gpu_read', args: { dev: 'gpu2', buf: 'A' } }],
      ),
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: spinForFolioLock,
};
