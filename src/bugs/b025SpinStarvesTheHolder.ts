/** B25: a CPU fault spins for the lock of a page whose holder waits for the very CPU that spins. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { spinForFolioLock } from './spinForFolioLock.js';

export const b025: BugOverlay = {
  id: 'B25',
  title: 'a fault spins while the lock holder waits for its CPU',
  wrong:
    'A fault that finds the page locked returns at once and comes again. The fault that holds the lock and migrates the page waits in lru_add_drain_all for a worker on that CPU, which never runs while the fault spins there.',
  reference: 'CVE-2026-43404, b570f37a',
  subject: bugCase({
    name: 'two threads read a page that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent([{ op: 'cpu_read', args: { buf: 'A' } }], [{ op: 'cpu_read', args: { buf: 'A' } }]),
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: spinForFolioLock,
};
