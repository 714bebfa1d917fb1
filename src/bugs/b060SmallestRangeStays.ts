/** B60: a range of just the smallest size that may migrate does not. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b060: BugOverlay = {
  id: 'B60',
  title: 'ranges of the smallest size never migrate',
  wrong:
    'The condition for the smallest size that a device takes is too strict by one: ranges of exactly that size stay in RAM for ever.',
  reference: '531bef26d189',
  subject: bugCase({
    name: 'a device writes a page',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'query_residency', args: { buf: 'A' }, as: 'where' },
    ],
    expect: [{ type: 'residency', step: 'where', where: 'gpu0' }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'wrong-result' }],
  apply: ({ coordinator: { gpuFaults, config } }) =>
    replaceMethod(
      gpuFaults.parts.placement,
      'isLargeEnough',
      () => (range) => range.npages > (config.migratePagesMin ?? 1),
    ),
};
