/** B15: which memory the last page was in is a variable that nobody has set before the first page. */

import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b015: BugOverlay = {
  id: 'B15',
  title: 'the first device page is compared with what the stack held',
  wrong:
    'The memory of the page before is not set before the first page. Where the call before has left the same there, the pages object never learns in whose memory its pages are.',
  reference: 'first posting of drm_gpusvm.c, drm_gpusvm_range_get_pages',
  subject: bugCase({
    name: 'a device writes two pages, one after the other',
    steps: [
      ...mirrorOn(1),
      buffer('A', 2),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 1, pages: 1, pattern: { p: 'const', v: 1 } } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: ({ coordinator: { dma } }) => {
    let left: DrmPagemap | null = null;
    replaceMethod(dma.mapper, 'holdPagemap', (right) => (run, zdd) => {
      if (left === zdd.dpagemap) run.hasDevmem = true;
      else right(run, zdd);
      left = zdd.dpagemap;
    });
  },
};
