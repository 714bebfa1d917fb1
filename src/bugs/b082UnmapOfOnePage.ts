/** B82: a mapping of 2 MiB ends as one of a page. */

import { dmaAddr, dmaDir, dmaPage, dmaProto } from '../memory/dmaAddr.js';
import { bugCase, hugeBuffer, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b082: BugOverlay = {
  id: 'B82',
  title: 'the size of a DMA mapping is forgotten',
  wrong: 'The driver ends the mapping of a large folio with the size of a page.',
  reference: 'caa1bc2a0a6c',
  subject: bugCase({
    name: 'a device uses a huge page of its own',
    steps: [
      ...mirrorOn(1),
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { vram } }) =>
    replaceMethod(vram, 'deviceUnmap', (right) => (dpagemap, device, addr) => {
      const small = dmaAddr(dmaProto(addr), dmaPage(addr), dmaDir(addr));
      right(dpagemap, device, small);
    }),
};
