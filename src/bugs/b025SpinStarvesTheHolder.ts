/** B25: a CPU fault spins for the lock of a page whose holder waits for the very CPU that spins. */

import { bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { childReads, mixedAndShared } from './programs/mixedAndShared.js';
import { spinForFolioLock } from './spinForFolioLock.js';

export const b025: BugOverlay = {
  id: 'B25',
  title: 'a fault spins while the lock holder waits for its CPU',
  wrong:
    'A fault that finds the page locked returns at once and comes again. Whoever has the lock, and RAM to migrate besides, waits in lru_add_drain_all for a worker on that CPU, which never runs while the fault spins there.',
  reference: 'CVE-2026-43404, b570f37a',
  subject: bugCase({
    name: 'a device takes pages from another one that a child reads',
    steps: [
      ...mirrorOn(2),
      ...mixedAndShared,
      concurrent([{ op: 'gpu_read', args: { dev: 'gpu1', buf: 'A', off: 0, pages: 1 } }], [...childReads]),
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: spinForFolioLock,
};
