/** B88: an eviction takes the mmap_lock of the process whose pages it moves. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b088: BugOverlay = {
  id: 'B88',
  title: 'eviction takes mmap_lock on a path that may hold it',
  wrong:
    'The eviction looks at the areas of the process and takes mmap_lock for that. It runs where a migration, with mmap_lock held, has found no memory: with a writer in between each waits for the other.',
  reference: 'ec6abe831a84 (amdkfd: reservation against mmap_lock)',
  subject: bugCase({
    name: 'memory of a device is evicted by a migration',
    params: { vram_bytes: 2 * 2 ** 20 },
    steps: [
      ...mirrorOn(1),
      buffer('A', 512),
      buffer('B', 512),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      concurrent(
        [
          {
            op: 'gpu_write',
            args: { dev: 'gpu0', buf: 'B', off: 0, pages: 1, pattern: { p: 'const', v: 2 } },
          },
        ],
        [{ op: 'mprotect', args: { buf: 'A', prot: 'r' } }],
      ),
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'L3' }, { kind: 'deadlock' }, { kind: 'assertion' }],
  apply: ({ coordinator: { vram } }) =>
    replaceMethod(
      vram,
      'evict',
      (right) =>
        function* (victim) {
          const { mmapLock } = victim.mm;
          yield* mmapLock.read();
          const errno = yield* right(victim);
          mmapLock.readUnlock();
          return errno;
        },
    ),
};
