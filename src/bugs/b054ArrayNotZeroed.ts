/** B54: the array of destinations holds what was there before. */

import { Errno } from '../base/errno.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b054: BugOverlay = {
  id: 'B54',
  title: 'a migration that is given up reads an array that nobody zeroed',
  wrong:
    'The array of destinations comes from memory that an earlier migration used. When not all pages could be collected nobody fills it, and finalize lets go of pages that it seems to name.',
  reference: 'predicted; kvcalloc zeroes it',
  subject: bugCase({
    name: 'all pages but one are on the device already',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 16, target: 'gpu0' } },
      { op: 'madvise', args: { buf: 'A', off: 0, pages: 1, advice: 'dontneed' } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 16, target: 'gpu0' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { migrate } }) => {
    let before: Uint32Array = new Uint32Array(0);
    replaceMethod(migrate, 'obstacleTo', (right) => (devmem, args, details) => {
      const obstacle = right(devmem, args, details);
      if (obstacle === Errno.OK) before = args.dst;
      else args.dst.set(before.subarray(0, args.dst.length));
      return obstacle;
    });
  },
};
