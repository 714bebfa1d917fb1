/** B16: pages objects are made of memory that was not zeroed. */

import { DriverRange } from '../driver/driverRange.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b016: BugOverlay = {
  id: 'B16',
  title: 'a new pages object says that it is mapped',
  wrong:
    'The array of pages objects is allocated without being zeroed, and the initialisation sets two fields of each. What the flags hold by chance makes pages valid that were never mapped.',
  reference: 'example in the documentation of the N:1 layout, and the reply to it',
  subject: bugCase({
    name: 'a device reads a page for the first time',
    steps: [...mirrorOn(1), buffer('A', 1), { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: (machine) =>
    everyMirror(machine, ({ invalidation }) =>
      replaceMethod(invalidation, 'rangeAlloc', (right) => (...span) => {
        const range = right(...span);
        if (!(range instanceof DriverRange)) return range;
        replaceMethod(range, 'prepare', (make) => (gpus) => {
          const parts = make(gpus);
          for (const { gpu, pages } of parts) {
            if (range.find(gpu) === null) pages.flags = PagesFlag.HasDmaMapping;
          }
          return parts;
        });
        return range;
      }),
    ),
};
