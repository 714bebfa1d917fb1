/** B41: pages are copied to memory that a clear still writes to. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b041: BugOverlay = {
  id: 'B41',
  title: 'a copy does not wait for earlier work on the memory',
  wrong:
    'The clear of new memory is under way when the copy to it begins, since nobody waits for its fence. What was copied is overwritten by zeros.',
  reference: '16b5ad319524',
  subject: bugCase({
    name: 'a device reads what it got into cleared memory',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'data', step: 'r', equals: { p: 'const', v: 1 } }],
  }),
  expected: [{ kind: 'wrong-result' }, { kind: 'wrong-data' }, { kind: 'invariant', invariant: 'D7' }],
  apply: ({ coordinator: { vram } }) => {
    // The driver has to clear at all.
    vram.clearsMemory = true;
    replaceMethod(vram, 'copyAfter', () => (_fence, port, src, dst, npages) => port.copy(src, dst, npages));
  },
};
