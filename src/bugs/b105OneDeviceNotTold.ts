/** B105: when a range is unmapped, its last device is not told. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b105: BugOverlay = {
  id: 'B105',
  title: 'a range is marked unmapped for one device too few',
  wrong:
    'The driver names fewer pages objects than the range has. The device that is left out goes on to map the dead range when something else is mapped at its addresses.',
  reference: 'predicted for N:1 layouts, drm_gpusvm_range_set_unmapped',
  subject: bugCase({
    name: 'a page that two devices map is unmapped',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } },
      { op: 'munmap', args: { buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: (machine) =>
    everyMirror(machine, ({ gpusvm }) =>
      replaceMethod(
        gpusvm,
        'rangeSetUnmapped',
        (right) => (range, pages, count, event) => right(range, pages, count - 1, event),
      ),
    ),
};
