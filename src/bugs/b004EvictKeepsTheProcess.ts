/** B4: bringing a range home without memory for its pfns keeps the address space. */

import { Errno } from '../base/errno.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b004: BugOverlay = {
  id: 'B4',
  title: 'eviction of a range keeps a user of the address space',
  wrong:
    'The array of pfns is allocated after the address space has got one more user, and when there is no memory for it the user stays. The process ends, and its memory does not.',
  reference: '847b371debf3',
  subject: bugCase({
    name: 'pages are brought home while memory is short',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 2 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', target: 'sys' } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'R1' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: (machine) =>
    everyMirror(machine, ({ gpusvm, mm }) => {
      // The allocation fails the first time.
      let isShort = true;
      replaceMethod(
        gpusvm,
        'rangeEvict',
        (right) =>
          function* (range) {
            if (!isShort) return yield* right(range);
            isShort = false;
            return mm.getNotZero() ? Errno.ENOMEM : Errno.EFAULT;
          },
      );
    }),
};
