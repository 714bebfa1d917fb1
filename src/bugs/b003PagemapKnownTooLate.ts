/** B3: the memory of device pages is noted only when all pages are mapped, so that a failure cannot unmap those done. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b003: BugOverlay = {
  id: 'B3',
  title: 'device mappings leak when a later page fails',
  wrong:
    'The pages object learns of the memory that its device pages are in after the last page. When one in the middle is refused, what is mapped by then cannot be unmapped.',
  reference: 'CVE-2026-68240',
  subject: bugCase({
    name: 'a device reads where one page is in RAM and the others are not',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      // From now on the device maps pages wherever they are.
      { op: 'svm_set_attr', args: { dev: 'gpu0', buf: 'A', attrs: { access_in_place: 'gpu0' } } },
      { op: 'madvise', args: { buf: 'A', off: 8, pages: 1, advice: 'dontneed' } },
      { op: 'cpu_write', args: { buf: 'A', off: 8, pages: 1, pattern: { p: 'const', v: 3 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 4, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'D1' }, { kind: 'leak' }, { kind: 'invariant' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(dma.mapper, 'unwind', (right) => (run) => {
      run.pages.dpagemap?.put();
      run.pages.dpagemap = null;
      right(run);
    }),
};
