/** B45: the number of entries that were collected is compared with that of pages. */

import { Errno } from '../base/errno.js';
import { bugCase, hugeBuffer, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b045: BugOverlay = {
  id: 'B45',
  title: 'a huge page counts as one page that was collected',
  wrong:
    'Setup collects a huge page as one entry. The driver takes 1 of 512 for a failure, so that no huge page ever gets to the device.',
  reference: 'drm/pagemap: correct cpages calculation for migrate_vma_setup',
  subject: bugCase({
    name: 'a huge page is to be on a device',
    steps: [
      ...mirrorOn(1),
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 512, target: 'gpu0' } },
      { op: 'query_residency', args: { buf: 'A' }, as: 'q' },
    ],
    expect: [{ type: 'residency', step: 'q', where: 'gpu0' }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'livelock' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(
      migrate,
      'obstacleTo',
      (right) => (devmem, args, details) =>
        args.cpages === args.end - args.start ? right(devmem, args, details) : Errno.EBUSY,
    ),
};
