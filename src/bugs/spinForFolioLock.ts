/** CPU faults that keep their CPU while a page is locked, which those who have it locked may wait for. */

import type { Machine } from '../actors/machine.js';
import { Errno } from '../base/errno.js';
import { migratePfnAt, migratePfnToPfn, NO_PFN } from '../memory/pfn.js';
import type { Kernel } from '../mm/kernel.js';
import { ptePfn } from '../mm/table/pte.js';
import { everyUnmapper } from './everyUnmapper.js';
import { replaceMethod } from './replaceMethod.js';

/** Simulated, between two looks at whether a CPU is busy; whoever spins goes on meanwhile. */
const LOOK_NS = 4_000;
/** Looks in a row that a worker on each CPU needs to get done. */
const IDLE_LOOKS = 5;

/**
 * A fault that finds its page locked returns at once, so that it comes again. A migration that has RAM among its pages has a worker run on every CPU
 * once it has locked them all, to get them onto the LRU; it waits for a CPU that is kept busy.
 */
export function spinForFolioLock(machine: Machine): void {
  const { cpus, coordinator } = machine;
  const { kernel, calls, hmm } = coordinator;
  /** Pages for which faults come again and again. */
  const spinning = new Set<number>();
  replaceMethod(calls.faults, 'handle', (right) => (mm, vma, page, write, flags) => {
    spinning.delete(page);
    return right(mm, vma, page, write, flags);
  });
  for (const cpu of cpus) {
    replaceMethod(cpu, 'tryPage', (right) => (page, write) => {
      const word = right(page, write);
      if (word >= 0) spinning.delete(page);
      return word;
    });
  }
  replaceMethod(
    calls.faults,
    'bringHome',
    (right) =>
      function* (mm, vma, page, pte) {
        if (!kernel.folios.isLocked(ptePfn(pte))) return yield* right(mm, vma, page, pte);
        spinning.add(page);
        return Errno.OK;
      },
  );
  replaceMethod(
    hmm,
    'fault',
    (right) =>
      function* (range, mayDropLock) {
        const errno = yield* right(range, mayDropLock);
        for (let page = range.start; page < range.end; page++) spinning.delete(page);
        return errno;
      },
  );
  everyUnmapper(machine, (unmapper) =>
    replaceMethod(
      unmapper,
      'unmap',
      (right) =>
        function* (src, npages, faultPage) {
          for (let idle = 0; idle < IDLE_LOOKS && hasRam(kernel, src, npages); ) {
            yield* kernel.sched.sleep(LOOK_NS);
            idle = spinning.size > 0 ? 0 : idle + 1;
          }
          return yield* right(src, npages, faultPage);
        },
    ),
  );
}

function hasRam({ memory }: Kernel, src: Uint32Array, npages: number): boolean {
  return Array.from({ length: npages }, (_, i) => migratePfnToPfn(migratePfnAt(src, i))).some(
    (pfn) => pfn !== NO_PFN && !memory.layout.isDevicePrivate(pfn),
  );
}
