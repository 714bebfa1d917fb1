/** CPU faults that keep their CPU while a page is locked, which those who have it locked may wait for. */

import type { Machine } from '../actors/machine.js';
import { Errno } from '../base/errno.js';
import { ptePfn } from '../mm/table/pte.js';
import { STEP } from '../sim/steps.js';
import { everyUnmapper } from './everyUnmapper.js';
import { replaceMethod } from './replaceMethod.js';

export function spinForFolioLock(machine: Machine): void {
  const { kernel, calls } = machine.coordinator;
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
  everyUnmapper(machine, (unmapper) =>
    replaceMethod(
      unmapper,
      'unmap',
      (right) =>
        function* (src, npages, faultPage) {
          // The drain: nobody may be spinning.
          yield STEP;
          while (spinning > 0) yield STEP;
          return yield* right(src, npages, faultPage);
        },
    ),
  );
}
