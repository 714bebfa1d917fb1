/** B59: a range counts as served though its pages are to be in RAM and are not. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b059: BugOverlay = {
  id: 'B59',
  title: 'pages on the device pass where RAM is wanted',
  wrong:
    'Whether a range is as it should be is asked of device targets only. With RAM as the target any valid range passes, and a prefetch there does nothing.',
  reference: '7c0c19c076ff',
  subject: bugCase({
    name: 'memory goes to the device once, and then to RAM as advised',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', target: 'sys' } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', target: 'gpu0' } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', target: 'advised' } },
      { op: 'query_residency', args: { buf: 'A', off: 0, pages: 1 }, as: 'where' },
    ],
    expect: [{ type: 'residency', step: 'where', where: 'sys' }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'wrong-result' }],
  apply: ({ coordinator: { gpuFaults } }) => {
    const { placement } = gpuFaults.parts;
    replaceMethod(
      placement,
      'isPlaced',
      () => (fault, range, part) => placement.targetOf(fault, range, part) === null,
    );
  },
};
