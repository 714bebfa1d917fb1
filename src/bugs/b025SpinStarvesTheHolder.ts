/** B25: a CPU fault spins for the lock of a page whose holder waits for the very CPU that spins. */

import { Errno } from '../base/errno.js';
import { ptePfn } from '../mm/table/pte.js';
import { STEP } from '../sim/steps.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b025: BugOverlay = {
  id: 'B25',
  title: 'a fault spins while the lock holder waits for its CPU',
  wrong:
    'A fault that finds the page locked returns at once and comes again. The fault that holds the lock and migrates the page waits in lru_add_drain_all for a worker on that CPU, which never runs while the fault spins there.',
  reference: 'CVE-2026-43404, b570f37a',
  subject: bugCase({
    name: 'two threads read a page that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent([{ op: 'cpu_read', args: { buf: 'A' } }], [{ op: 'cpu_read', args: { buf: 'A' } }]),
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: ({ coordinator: { kernel, calls, migrateUnmap } }) => {
    /** Faults that keep a CPU busy. */
    let spinning = 0;
    replaceMethod(
      calls.faults,
      'bringHome',
      (right) =>
        function* (mm, vma, page, pte) {
          if (!kernel.folios.isLocked(ptePfn(pte))) return yield* right(mm, vma, page, pte);
          spinning++;
          while (kernel.folios.isLocked(ptePfn(pte))) yield STEP;
          spinning--;
          return Errno.OK;
        },
    );
    replaceMethod(
      migrateUnmap,
      'unmap',
      (right) =>
        function* (src, npages, faultPage) {
          // The drain: nobody may be spinning.
          yield STEP;
          while (spinning > 0) yield STEP;
          return yield* right(src, npages, faultPage);
        },
    );
  },
};
