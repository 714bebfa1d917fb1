/** B65: a bind that fails half way does not put back what it has cut. */

import type { Machine } from '../actors/machine.js';
import { Errno } from '../base/errno.js';
import type { BindRequest } from '../device/gpuPort.js';
import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

/** Devices have page tables for mappings of several pages, and none for the second object, which has one. */
function failBindsOfOnePage({ coordinator: { gpus } }: Machine): void {
  for (const { port } of gpus) {
    const short = new Set<BindRequest>();
    replaceMethod(port, 'startBind', (right) => (page, npages, ...rest) => {
      const request = right(page, npages, ...rest);
      if (npages === 1) short.add(request);
      return request;
    });
    replaceMethod(
      port,
      'finishBind',
      (right) =>
        function* (request) {
          const errno = yield* right(request);
          return short.delete(request) ? Errno.ENOMEM : errno;
        },
    );
  }
}

export const b065: BugOverlay = {
  id: 'B65',
  title: 'a bind that failed leaves the mapping that it cut in pieces',
  wrong:
    'The unwinding of a bind takes out what the bind has put in, and does not put back what it had taken out to make room. What is left does not cover what was mapped before.',
  reference: 'CVE-2026-31479',
  subject: bugCase({
    name: 'an object is bound over the middle of another one while page tables are short',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 3, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_bind_bo', args: { start: 1, end: 2, bo: 'Y', bo_off: 0 } },
      { op: 'gpu_store_va', args: { page: 0, value: 1 }, as: 's' },
    ],
    expect: [{ type: 'ret', step: 's', value: 0 }],
  }),
  expected: [{ kind: 'invariant', invariant: 'G2' }],
  inject: failBindsOfOnePage,
  apply: (machine) => {
    failBindsOfOnePage(machine);
    everyDeviceVm(machine, (deviceVm) =>
      replaceMethod(deviceVm, 'unwind', (right) => (applied) => right({ ...applied, removed: [] })),
    );
  },
};
