/** B1: the order of a leaf is taken as it is, though the range begins or ends inside the leaf. */

import { PMD_PAGES } from '../base/units.js';
import { hmmPfnOrder } from '../memory/pfn.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b001: BugOverlay = {
  id: 'B1',
  title: 'a mapping is as large as the leaf, beyond the range',
  wrong:
    'The pages that one address stands for are counted by the order that HMM reports, which is that of the whole leaf. A range inside a huge page gets a mapping that reaches far beyond its end.',
  reference: 'CVE-2025-40336, c50729c68aaf',
  subject: bugCase({
    name: 'a device reads sixteen pages of a huge page',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', PMD_PAGES),
      { op: 'madvise', args: { buf: 'A', advice: 'hugepage' } },
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      // No range reaches over the end of a span with its own advice.
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', off: 16, pages: 16, target: 'sys' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 16, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(dma.mapper, 'pfnToOrder', () => (entry) => hmmPfnOrder(entry)),
};
