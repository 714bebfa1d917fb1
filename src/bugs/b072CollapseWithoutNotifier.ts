/** B72: a collapse replaces page tables without telling those who mirror them. */

import { Errno } from '../base/errno.js';
import { PMD_PAGES } from '../base/units.js';
import type { Task } from '../sim/task.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b072: BugOverlay = {
  id: 'B72',
  title: 'page tables are collapsed without an invalidation',
  wrong:
    'The collapse clears 512 entries and frees their pages, and no notifier hears of it. A device goes on with translations to pages that belong to others.',
  reference: 'f268f6cf875f',
  subject: bugCase({
    name: 'memory that a device maps is collapsed',
    steps: [
      ...mirrorOn(1),
      {
        op: 'mmap',
        args: {
          buf: 'A',
          pages: PMD_PAGES,
          prot: 'rw',
          share: 'private',
          backing: 'anon',
          align_pages: PMD_PAGES,
        },
      },
      // Room for the huge page.
      buffer('B', 2 * PMD_PAGES),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', target: 'sys' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
      { op: 'madvise', args: { buf: 'A', advice: 'collapse' } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: ({ sched, coordinator: { mm, calls } }) => {
    const collapsing = new Set<Task>();
    replaceMethod(
      calls.collapse,
      'collapse',
      (right) =>
        function* (...area) {
          const task = sched.self;
          collapsing.add(task);
          const errno = yield* right(...area);
          collapsing.delete(task);
          return errno;
        },
    );
    replaceMethod(
      mm.notifiers,
      'invalidateStart',
      (right) =>
        function* (range) {
          return collapsing.has(sched.self) ? Errno.OK : yield* right(range);
        },
    );
    replaceMethod(
      mm.notifiers,
      'invalidateEnd',
      (right) =>
        function* (range) {
          if (!collapsing.has(sched.self)) yield* right(range);
        },
    );
  },
};
