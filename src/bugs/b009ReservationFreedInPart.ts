/** B9: of a reservation of I/O addresses only what was linked is given back. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b009: BugOverlay = {
  id: 'B9',
  title: 'a reservation is freed by what was linked',
  wrong:
    'I/O addresses are reserved for the whole range and freed by the size of what was linked. Pages in device memory are not linked, so each range of both kinds loses addresses.',
  reference: 'dri-devel 20260628061757.4093701-1',
  subject: bugCase({
    name: 'a device reads where the first page is in RAM and the others are not',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      // From now on the device maps pages wherever they are.
      { op: 'svm_set_attr', args: { dev: 'gpu0', buf: 'A', attrs: { access_in_place: 'gpu0' } } },
      { op: 'madvise', args: { buf: 'A', off: 0, pages: 1, advice: 'dontneed' } },
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 3 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 4, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(dma.mapper, 'unmapReservation', (right) => (pages, dmaAddrs) => {
      pages.state.npages = pages.stateOffset;
      right(pages, dmaAddrs);
    }),
};
