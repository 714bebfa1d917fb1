/** B80: the array that HMM fills is too short for the span. */

import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b080: BugOverlay = {
  id: 'B80',
  title: 'the array of pfns is shorter than the span',
  wrong:
    'The driver takes the size of the array for a number of pages where it is one of bytes. HMM fills in what fits, and the driver enters what stands behind it.',
  reference: '2c80a2b715df',
  subject: bugCase({
    name: 'a device reads two pages',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 2),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' }, as: 'r' },
    ],
    expect: [
      { type: 'ret', step: 'r', value: 0 },
      { type: 'data', step: 'r', equals: { p: 'const', v: 1 } },
    ],
  }),
  expected: [{ kind: 'wrong-result' }, { kind: 'assertion' }, { kind: 'invariant' }, { kind: 'livelock' }],
  apply: ({ coordinator: { mirror } }) => {
    if (mirror === null) return;
    replaceMethod(
      mirror.faults,
      'look',
      (right) => (context, look) =>
        right(context, { ...look, pfns: look.pfns.subarray(0, look.pfns.length >> 1) }),
    );
  },
};
