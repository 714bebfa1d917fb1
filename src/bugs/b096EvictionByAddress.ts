/** B96: the driver finds pages by the address at which it has migrated them, and not by what maps them. */

import { Errno } from '../base/errno.js';
import { pteFromWord, ptePfn } from '../mm/table/pte.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b096: BugOverlay = {
  id: 'B96',
  title: 'eviction looks for pages where they were',
  wrong:
    'The driver keeps with its memory the address that it has served, and evicts what is there. After mremap or fork the pages are elsewhere: it takes the memory for free.',
  reference: 'review of S. Vetter: migration must go by the reverse map',
  subject: bugCase({
    name: 'pages that have moved are evicted',
    params: { vram_bytes: 2 * 2 ** 20 },
    steps: [
      ...mirrorOn(1),
      buffer('A', 512),
      buffer('B', 512),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'mremap', args: { buf: 'A', new_buf: 'C', to: 'fresh' } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'B', off: 0, pages: 1, pattern: { p: 'const', v: 2 } } },
      { op: 'cpu_read', args: { buf: 'C', off: 0, pages: 1 }, as: 'c' },
    ],
    expect: [{ type: 'data', step: 'c', equals: { p: 'const', v: 1 } }],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'wrong-data' }],
  apply: ({ coordinator: { vram } }) =>
    replaceMethod(
      vram,
      'evict',
      (right) =>
        function* (victim) {
          const pte = pteFromWord(victim.mm.pageTable.get(victim.start));
          if (ptePfn(pte) === victim.pfns[0]) return yield* right(victim);
          vram.devmemRelease(victim);
          return Errno.OK;
        },
    ),
};
