/** B9: of a reservation of I/O addresses only what was linked is given back. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { onePageInRam } from './programs/onePageInRam.js';
import { replaceMethod } from './replaceMethod.js';

export const b009: BugOverlay = {
  id: 'B9',
  title: 'a reservation is freed by what was linked',
  wrong:
    'I/O addresses are reserved for the whole range and freed by the size of what was linked. Pages in device memory are not linked, so each range of both kinds loses addresses.',
  reference: 'dri-devel 20260628061757.4093701-1',
  subject: bugCase({
    name: 'a device reads where the first page is in RAM and the others are not',
    steps: onePageInRam(0),
  }),
  expected: [{ kind: 'invariant' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: ({ coordinator: { dma } }) =>
    replaceMethod(dma.mapper, 'unmapReservation', (right) => (pages, dmaAddrs) => {
      pages.state.npages = pages.stateOffset;
      right(pages, dmaAddrs);
    }),
};
