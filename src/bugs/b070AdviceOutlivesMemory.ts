/** B70: what was said of memory stays when the memory goes. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b070: BugOverlay = {
  id: 'B70',
  title: 'advice outlives the memory that it was given for',
  wrong:
    'Collecting an unmapped range does not put its attributes back. New memory at the same address goes where somebody wanted the old one.',
  reference: 'design of the xe garbage collector, which resets them',
  subject: bugCase({
    name: 'memory with advice is unmapped, and other memory comes in its place',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', target: 'sys' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'munmap', args: { buf: 'A' } },
      {
        op: 'mmap',
        args: { buf: 'A', at_off: 0, pages: 1, prot: 'rw', share: 'private', backing: 'anon', fixed: true },
      },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'query_residency', args: { buf: 'A' }, as: 'where' },
    ],
    expect: [{ type: 'residency', step: 'where', where: 'gpu0' }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'wrong-result' }],
  apply: (machine) =>
    everyMirror(machine, ({ collector }) => replaceMethod(collector, 'resetAttributes', () => () => {})),
};
