/** B26: every CPU fault takes a reference to the device page before it has its lock. */

import { ptePfn } from '../mm/table/pte.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b026: BugOverlay = {
  id: 'B26',
  title: 'faults that wait for a page keep it from moving',
  wrong:
    'Each fault takes a reference first and then waits for the lock. Whoever has the lock finds the references of the others and cannot migrate; all of them fault again.',
  reference: '1afaeb8293c9',
  subject: bugCase({
    name: 'many threads read a page that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent(...Array.from({ length: 4 }, () => [{ op: 'cpu_read', args: { buf: 'A' } }])),
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: ({ coordinator: { kernel, calls } }) =>
    replaceMethod(
      calls.faults,
      'bringHome',
      (right) =>
        function* (mm, vma, page, pte) {
          const { folios, folioLocks } = kernel;
          const pfn = ptePfn(pte);
          folios.get(pfn);
          if (folios.isLocked(pfn)) {
            yield* folioLocks.lock(pfn);
            folioLocks.unlock(pfn);
          }
          const errno = yield* right(mm, vma, page, pte);
          folios.put(pfn);
          return errno;
        },
    ),
};
