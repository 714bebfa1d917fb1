/** B49: addresses are forgotten before they are given back. */

import { Errno } from '../base/errno.js';
import { NO_DMA_ADDR } from '../memory/dmaAddr.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b049: BugOverlay = {
  id: 'B49',
  title: 'entries are emptied before their DMA mappings end',
  wrong:
    'When a migration fails its array of destinations is emptied first. The loop that ends the mappings skips what is empty.',
  reference: '9e6372ec2a39',
  subject: bugCase({
    name: 'the copy from one device to another fails',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu1', buf: 'A', pattern: { p: 'const', v: 2 } } },
    ],
  }),
  expected: [{ kind: 'leak' }, { kind: 'invariant' }, { kind: 'assertion' }],
  apply: ({ coordinator: { migrate, vram } }) => {
    let hasFailed = false;
    // A copy between devices has to fail.
    replaceMethod(
      migrate.copies,
      'pushFromPeer',
      (right) =>
        function* (run, source) {
          const copyToRam = vram.copyToRam;
          vram.copyToRam = function* () {
            hasFailed = true;
            return Errno.EIO;
          };
          try {
            return yield* right(run, source);
          } finally {
            vram.copyToRam = copyToRam;
          }
        },
    );
    replaceMethod(migrate.copies, 'unmapRemote', (right) => (dpagemap, device, addrs, npages) => {
      if (hasFailed) addrs.fill(NO_DMA_ADDR, 0, npages);
      right(dpagemap, device, addrs, npages);
    });
  },
};
