/** B14: up to which size pages are looked at is passed as yes or no. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b014: BugOverlay = {
  id: 'B14',
  title: 'whether pages are there is never looked at',
  wrong:
    'The caller passes a condition where the callee takes a size, and no range is as small as that: the look at the pages is left out. Ranges are larger than meant, and a fault on one page brings in its neighbours.',
  reference: 'first posting of drm_gpusvm.c, call of drm_gpusvm_range_chunk_size',
  subject: bugCase({
    name: 'a device writes the only page of sixteen that is there',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 2 } } },
      { op: 'query_residency', args: { buf: 'A', off: 8, pages: 1 }, as: 'where' },
    ],
    expect: [{ type: 'residency', step: 'where', where: 'none' }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'wrong-result' }],
  apply: (machine) =>
    everyMirror(machine, ({ gpusvm: { finder } }) => {
      if (finder === null) return;
      replaceMethod(finder, 'chunkSize', (right) => (notifier, vma, request, ctx) => {
        const isAsked = ctx.devmemPossible && ctx.checkPagesThreshold > 0;
        return right(notifier, vma, request, { ...ctx, checkPagesThreshold: isAsked ? 1 : 0 });
      });
    }),
};
