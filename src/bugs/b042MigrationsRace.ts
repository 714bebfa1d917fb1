/** B42: two devices that migrate the same pages keep each other from all of them. */

import { Errno } from '../base/errno.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

const write = (dev: string): unknown => ({
  op: 'gpu_write',
  args: { dev, buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 2 } },
});

export const b042: BugOverlay = {
  id: 'B42',
  title: 'racing migrations of two devices begin again for ever',
  wrong:
    'A device that finds pages locked by the migration of another one gives up what it has and tries again at once, and does so again and again: nobody waits until the other is done, who may have to wait for the very CPU.',
  reference: '0620837490e0',
  subject: bugCase({
    name: 'two devices take pages from a third one',
    steps: [
      ...mirrorOn(3),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      write('gpu0'),
      concurrent([write('gpu1')], [write('gpu2')]),
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'L1' }, { kind: 'livelock' }],
  apply: ({ coordinator: { gpuFaults } }) => {
    const { migration } = gpuFaults.parts;
    replaceMethod(
      migration,
      'migrate',
      (right) =>
        function* (fault, range, target, ctx) {
          const { dpagemap } = target;
          if (dpagemap === null) return yield* right(fault, range, target, ctx);
          let errno: Errno;
          do errno = yield* migration.populate(fault, range, target, dpagemap, ctx);
          while (errno === Errno.EBUSY);
          return errno;
        },
    );
  },
};
