/** B61: the fault handler says that all is well where it should say that the access is refused. */

import { Errno } from '../base/errno.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b061: BugOverlay = {
  id: 'B61',
  title: 'fault handler returns success with an error pending',
  wrong:
    'An atomic on memory that cannot come to the device is refused, but the way out of the handler forgets the error. The device takes the fault for served and tries again, for ever.',
  reference: 'xe_svm.c, label out; 36ba01e43061 reports such faults',
  subject: bugCase({
    name: 'an atomic on memory of a file',
    steps: [
      ...mirrorOn(1),
      { op: 'file_create', args: { file: 'f', pages: 1, pattern: { p: 'zero' } } },
      {
        op: 'mmap',
        args: { buf: 'A', pages: 1, prot: 'rw', share: 'shared', backing: 'file', file: 'f' },
      },
      { op: 'gpu_atomic_inc', args: { dev: 'gpu0', buf: 'A', dword: 0, count: 1 }, as: 'a' },
    ],
    expect: [{ type: 'ret', step: 'a', value: 'nonzero' }],
  }),
  expected: [{ kind: 'livelock' }],
  apply: ({ coordinator }) =>
    replaceMethod(
      coordinator.gpuFaults,
      'handle',
      (right) =>
        function* (...fault) {
          const errno = yield* right(...fault);
          return errno === Errno.EACCES ? Errno.OK : errno;
        },
    ),
};
