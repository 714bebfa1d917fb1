/** B36: devices that take pages from one another hang on the lock of a folio. */

import { bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { childReads, mixedAndShared } from './programs/mixedAndShared.js';
import { spinForFolioLock } from './spinForFolioLock.js';

const read = (dev: string): unknown => ({ op: 'gpu_read', args: { dev, buf: 'A', off: 0, pages: 1 } });

export const b036: BugOverlay = {
  id: 'B36',
  title: 'migration between devices hangs on the lock of a folio',
  wrong:
    'Two devices race for the pages of a third. The one that has the locks waits for a CPU on which a fault comes again and again for such a page; the other one, and whoever faults there next, waits for the locks.',
  reference: '10dd1eaa80a5 disabled such migrations, a99d34e5ecb9 allowed them again',
  subject: bugCase({
    name: 'two devices take pages from a third one that a child reads',
    steps: [...mirrorOn(3), ...mixedAndShared, concurrent([read('gpu1')], [read('gpu2')], [...childReads])],
  }),
  expected: [{ kind: 'livelock' }],
  apply: spinForFolioLock,
};
