/** B97: each mapping of an object takes two references to what the VM knows of it, and drops one. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b097: BugOverlay = {
  id: 'B97',
  title: 'a mapping takes two references to the VM object',
  wrong:
    'The driver takes a reference for a new mapping, as linking it does already. With the mapping one of them goes; the VM, the object and its memory stay for good.',
  reference: '0d3abd456be4 (pvr)',
  subject: bugCase({
    name: 'an object is bound and unbound',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 1, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_unbind', args: { start: 0, end: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'R6' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: (machine) =>
    everyDeviceVm(machine, ({ gpuvm }) =>
      replaceMethod(gpuvm, 'link', (right) => (va, vmBo) => {
        right(va, vmBo);
        vmBo.get();
      }),
    ),
};
