/** B43: a page is unlocked after its last reference is gone. */

import { Errno } from '../base/errno.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b043: BugOverlay = {
  id: 'B43',
  title: 'a page is used after its put in the way out of an allocation error',
  wrong:
    'When RAM runs out in the middle of an eviction, the pages that were allocated are put first and unlocked then. By that time they are free.',
  reference: 'df72e55e754c',
  subject: bugCase({
    name: 'RAM runs out while two pages come home',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'one_of', step: 'r', values: [0, '-EFAULT'] }],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: ({ coordinator: { kernel, migrate } }) => {
    const { targets } = migrate;
    // There is RAM for all but the last page.
    replaceMethod(targets, 'allocRam', (right) => (src, dst, npages) => {
      const errno = right(src, dst, npages - 1);
      return errno === Errno.OK ? Errno.ENOMEM : errno;
    });
    replaceMethod(targets, 'unlockAndPut', () => (head) => {
      kernel.folios.put(head);
      kernel.folioLocks.unlock(head);
    });
  },
};
