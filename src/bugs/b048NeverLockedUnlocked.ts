/** B48: the way out of an error unlocks pages that were not locked yet. */

import { Errno } from '../base/errno.js';
import { migratePfn, pfn } from '../memory/pfn.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b048: BugOverlay = {
  id: 'B48',
  title: 'pages are unlocked and put that never were locked',
  wrong:
    'An error in the middle of the loop over the pages goes to a label that lets go of all of them, those included that the loop has not come to.',
  reference: '3902846af36b',
  subject: bugCase({
    name: 'a migration fails with its second page',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { migrate } }) => {
    const { targets } = migrate;
    replaceMethod(migrate, 'populate', () => (devmem, zdd, { start, end, dst }) => {
      const npages = end - start;
      devmem.copyOps.populateDevmemPfn(devmem, npages, dst);
      targets.initFolio(zdd, dst, 0, 0);
      for (let i = 1; i < npages; i++) dst[i] = migratePfn(pfn(dst[i]), 0);
      targets.unlockAndPutAll(dst, npages);
      return Errno.EFAULT;
    });
  },
};
