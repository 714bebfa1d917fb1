/** B90: a CPU fault gives a device page back to its allocation although it still refers to it. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b090: BugOverlay = {
  id: 'B90',
  title: 'a device page is counted as free twice',
  wrong:
    'The driver takes a page for free once it has migrated, while the CPU fault still has a reference to it. When that goes, the page is freed a second time, and the count of the allocation runs below nothing.',
  reference: 'amdkfd: Fix svm_bo and vram page refcount, September 2025',
  subject: bugCase({
    name: 'the CPU reads a page that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_read', args: { buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(
      migrate,
      'migrateToRam',
      (right) =>
        function* (fault) {
          const errno = yield* right(fault);
          if (errno === Errno.OK) migrate.folioFree(fault.pfn);
          return errno;
        },
    ),
};
