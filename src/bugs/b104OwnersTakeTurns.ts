/** B104: a range counts as mapped only when all devices have it, and each brings the pages home from the other. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b104: BugOverlay = {
  id: 'B104',
  title: 'devices with owners of their own evict each other',
  wrong:
    "With each fault the driver maps the range for all devices that have used it. They share no memory: what one has migrated to itself is another's foreign page, which its HMM fault brings to RAM, and that takes the mapping from the first. It migrates again, without an end.",
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'two devices that are not linked write to a page',
    params: { interconnect: 'none' },
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      concurrent(
        [{ op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } }],
        [{ op: 'gpu_write', args: { dev: 'gpu1', buf: 'A', pattern: { p: 'const', v: 2 } } }],
      ),
    ],
  }),
  expected: [{ kind: 'livelock' }, { kind: 'invariant', invariant: 'L1' }],
  apply: ({ coordinator: { gpuFaults } }) =>
    replaceMethod(
      gpuFaults.parts.binding,
      'getPages',
      (right) =>
        function* (fault, range, part, ctx) {
          const errno = yield* right(fault, range, part, ctx);
          if (errno !== Errno.OK) return errno;
          const { gpusvm, dma, mm } = fault.vm;
          const { interval } = range.notifier;
          for (const { pages, gpu } of range.parts) {
            const owner = gpu.dpagemap?.pagemap.owner ?? ctx.owner;
            if (owner === ctx.owner) continue;
            yield* dma.getPages(gpusvm, pages, mm, interval, range.start, range.end, { ...ctx, owner });
          }
          // Whoever has lost its pages in all this may migrate them once more.
          fault.tries++;
          return errno;
        },
    ),
};
