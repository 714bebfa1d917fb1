/** B7: what takes back a mapping that failed half way asks for a flag that only a whole one has. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b007: BugOverlay = {
  id: 'B7',
  title: 'a mapping that failed half way is not taken back',
  wrong:
    'Unmapping does nothing unless the pages say that they are mapped, which they say after the last one. An error before leaves every page mapped that was done by then.',
  reference: 'seen in early drm_gpusvm_get_pages; later versions set the flag before they unmap',
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
  expected: [{ kind: 'invariant' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(
      dma.mapper,
      'unwind',
      () =>
        ({ pages, mapped }) =>
          dma.mapper.unmapLocked(pages, mapped),
    ),
};
