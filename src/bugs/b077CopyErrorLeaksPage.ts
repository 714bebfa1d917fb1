/** B77: a copy home that fails leaves its destination locked. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b077: BugOverlay = {
  id: 'B77',
  title: 'the destination stays locked after a copy error',
  wrong: 'The way out of a failed copy forgets the page of RAM that it had allocated and locked.',
  reference: '835745a377a4',
  subject: bugCase({
    name: 'the copy home of a page fails',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'one_of', step: 'r', values: [0, '-EFAULT'] }],
  }),
  expected: [{ kind: 'leak' }, { kind: 'invariant' }],
  apply: ({ coordinator: { migrate, vram } }) => {
    // A copy has to fail.
    replaceMethod(
      vram,
      'copyToRam',
      () =>
        function* () {
          return Errno.EIO;
        },
    );
    replaceMethod(migrate.targets, 'unlockAndPutAll', () => (dst, npages) => {
      dst.fill(0, 0, npages);
    });
  },
};
