/** B111: a copy between devices goes run by run, and the last run is forgotten. */

import { Errno } from '../base/errno.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

const PAGES = 16;

export const b111: BugOverlay = {
  id: 'B111',
  title: 'the last run of a copy is not flushed',
  wrong:
    'Pages that come from the same memory are collected into a run, which is copied when the source changes. At the end of the span nobody copies the one that is left.',
  reference: 'predicted for copies between devices',
  subject: bugCase({
    name: 'a device takes a range of which one page is in RAM',
    steps: [
      ...mirrorOn(2),
      {
        op: 'mmap',
        args: { buf: 'A', pages: PAGES, prot: 'rw', share: 'private', backing: 'anon', align_pages: PAGES },
      },
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'madvise', args: { buf: 'A', off: PAGES - 1, pages: 1, advice: 'dontneed' } },
      { op: 'cpu_write', args: { buf: 'A', off: PAGES - 1, pages: 1, pattern: { p: 'const', v: 3 } } },
      { op: 'gpu_write', args: { dev: 'gpu1', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 4 } } },
      { op: 'cpu_read', args: { buf: 'A', off: PAGES - 1, pages: 1 }, as: 'last' },
    ],
    expect: [{ type: 'data', step: 'last', equals: { p: 'const', v: 3 } }],
  }),
  expected: [{ kind: 'wrong-data' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(
      migrate.copies,
      'copyRun',
      (right) =>
        function* (devmem, args, first, end, sourcePeerMigrates) {
          const isLeft = first > 0 && end === args.end - args.start;
          return isLeft ? Errno.OK : yield* right(devmem, args, first, end, sourcePeerMigrates);
        },
    ),
};
