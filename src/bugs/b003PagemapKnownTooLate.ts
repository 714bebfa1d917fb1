/** B3: the memory of device pages is noted only when all pages are mapped, so that a failure cannot unmap those done. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { onePageInRam } from './programs/onePageInRam.js';
import { replaceMethod } from './replaceMethod.js';

export const b003: BugOverlay = {
  id: 'B3',
  title: 'device mappings leak when a later page fails',
  wrong:
    'The pages object learns of the memory that its device pages are in after the last page. When one in the middle is refused, what is mapped by then cannot be unmapped.',
  reference: 'CVE-2026-68240',
  subject: bugCase({
    name: 'a device reads where one page is in RAM and the others are not',
    steps: onePageInRam(8),
  }),
  expected: [{ kind: 'invariant', invariant: 'D1' }, { kind: 'leak' }, { kind: 'invariant' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(dma.mapper, 'unwind', (right) => (run) => {
      run.pages.dpagemap?.put();
      run.pages.dpagemap = null;
      right(run);
    }),
};
