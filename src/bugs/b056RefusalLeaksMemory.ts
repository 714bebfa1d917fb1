/** B56: a migration that is refused at once keeps the memory for it. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b056: BugOverlay = {
  id: 'B56',
  title: 'the allocation leaks when the driver cannot migrate',
  wrong:
    'Each way out of the migration consumes the reference on the memory but the first one, where the driver lacks an operation.',
  reference: 'predicted; drm_pagemap_migrate_to_devmem, -EOPNOTSUPP',
  subject: bugCase({
    name: 'a driver that cannot migrate',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
    ],
  }),
  expected: [{ kind: 'leak' }, { kind: 'invariant' }, { kind: 'assertion' }, { kind: 'livelock' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(
      migrate,
      'migrateToDevmem',
      () =>
        function* () {
          return Errno.EOPNOTSUPP;
        },
    ),
};
