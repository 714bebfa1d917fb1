/** B114: the flags of pages are copied, and later the copy is stored over them. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b114: BugOverlay = {
  id: 'B114',
  title: 'flags of pages are written back as a whole',
  wrong:
    'get_pages works on a copy of the flags and stores all of it when it is done, after the lock is gone. What an invalidation has set or cleared meanwhile is undone: pages count as mapped that are not, and that their memory was unmapped is forgotten.',
  reference: 'predicted; the copy is there in the series that separates pages from ranges',
  subject: bugCase({
    name: 'memory goes while a device gets it',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }],
        [{ op: 'munmap', args: { buf: 'A' } }],
      ),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, ({ dma }) =>
      replaceMethod(
        dma,
        'tryGetPages',
        (right) =>
          function* (request, leftNs) {
            const errno = yield* right(request, leftNs);
            const { flags } = request.pages;
            yield* machine.sched.sleep(2_000);
            if (errno === Errno.OK) request.pages.flags = flags;
            return errno;
          },
      ),
    ),
};
