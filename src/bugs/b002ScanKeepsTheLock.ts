/** B2: looking where pages are returns early with the notifier lock. */

import { alignedBuffer } from './alignedBuffer.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b002: BugOverlay = {
  id: 'B2',
  title: 'a scan that was too late keeps the notifier lock',
  wrong:
    'Where an invalidation has come since the snapshot the scan leaves by a path that does not give the lock back. The next callback waits for it for ever.',
  reference: 'CVE-2026-63863, d287dee565c3',
  subject: bugCase({
    name: 'one device looks where its pages are while another one migrates a page nearby',
    steps: [
      ...mirrorOn(2),
      alignedBuffer('A', 16),
      buffer('B', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'cpu_read', args: { buf: 'A' } },
      concurrent(
        [
          {
            op: 'gpu_write',
            args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 3 } },
          },
        ],
        [{ op: 'gpu_write', args: { dev: 'gpu1', buf: 'B', pattern: { p: 'const', v: 4 } } }],
      ),
    ],
  }),
  expected: [{ kind: 'deadlock' }, { kind: 'invariant', invariant: 'L3' }, { kind: 'assertion' }],
  apply: ({ coordinator: { gpuFaults } }) =>
    replaceMethod(
      gpuFaults.parts.migration.scan,
      'look',
      (right) =>
        function* (gpusvm, request, wanted) {
          const result = yield* right(gpusvm, request, wanted);
          if (result === null) yield* gpusvm.notifierLock.read();
          return result;
        },
    ),
};
