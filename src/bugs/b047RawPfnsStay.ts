/** B47: raw page frame numbers stay where those of migration are expected. */

import { Errno } from '../base/errno.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b047: BugOverlay = {
  id: 'B47',
  title: 'raw pfns are taken for migrate pfns',
  wrong:
    'The driver has written the raw numbers of its memory when an error ends the migration. They stay in the array, and finalize unlocks and puts whatever pages they seem to name.',
  reference: '1f1be4ba643f',
  subject: bugCase({
    name: 'a migration fails after its memory is known',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(migrate, 'populate', () => (devmem, _zdd, args) => {
      devmem.copyOps.populateDevmemPfn(devmem, args.end - args.start, args.dst);
      return Errno.EFAULT;
    }),
};
