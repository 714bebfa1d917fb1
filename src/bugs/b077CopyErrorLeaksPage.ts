/** B77: a copy home that fails leaves its destination locked. */

import type { Machine } from '../actors/machine.js';
import { Errno } from '../base/errno.js';
import { DmaProto, dmaAddrAt, dmaProto, NO_DMA_ADDR } from '../memory/dmaAddr.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

/** As the engine itself may: with that alone the access ends with an error, and all is well otherwise. */
function failCopiesHome({ coordinator: { gpus, arrays } }: Machine): void {
  for (const { port } of gpus) {
    replaceMethod(
      port,
      'copy',
      (right) =>
        function* (src, dst, npages) {
          const to = dmaAddrAt(arrays.arrays.view(dst), 0);
          if (to !== NO_DMA_ADDR && dmaProto(to) === DmaProto.System) return Errno.EIO;
          return yield* right(src, dst, npages);
        },
    );
  }
}

export const b077: BugOverlay = {
  id: 'B77',
  title: 'the destination stays locked after a copy error',
  wrong: 'The way out of a failed copy forgets the page of RAM that it had allocated and locked.',
  reference: '835745a377a4',
  subject: bugCase({
    name: 'the copy home of a page fails',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'one_of', step: 'r', values: [0, '-EFAULT'] }],
  }),
  // The migration leaves with one lock more than it came with. At rest the page has a reference that nobody will put; that it is locked would be told after that.
  expected: [
    { kind: 'invariant', invariant: 'L3' },
    { kind: 'invariant', invariant: 'M2' },
  ],
  inject: failCopiesHome,
  apply: (machine) => {
    failCopiesHome(machine);
    replaceMethod(machine.coordinator.migrate.targets, 'unlockAndPutAll', () => (dst, npages) => {
      dst.fill(0, 0, npages);
    });
  },
};
