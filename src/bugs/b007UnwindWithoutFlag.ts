/** B7: what takes back a mapping that failed half way asks for a flag that only a whole one has. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { onePageInRam } from './programs/onePageInRam.js';
import { replaceMethod } from './replaceMethod.js';

export const b007: BugOverlay = {
  id: 'B7',
  title: 'a mapping that failed half way is not taken back',
  wrong:
    'Unmapping does nothing unless the pages say that they are mapped, which they say after the last one. An error before leaves every page mapped that was done by then.',
  reference: 'seen in early drm_gpusvm_get_pages; later versions set the flag before they unmap',
  subject: bugCase({
    name: 'a device reads where one page is in RAM and the others are not',
    steps: onePageInRam(8),
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
