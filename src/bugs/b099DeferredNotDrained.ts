/** B99: objects whose freeing was put off are not freed when their VM goes. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b099: BugOverlay = {
  id: 'B99',
  title: 'deferred frees are not drained when the VM is dropped',
  wrong:
    'What is unmapped is put on a list to be freed in process context, and nobody goes through the list before the VM is dropped: objects, their memory and the VM itself leak.',
  reference: '2aeee2dd4a79 (asahi, pull request 548)',
  subject: bugCase({
    name: 'an object is unbound before the end',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 1, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_unbind', args: { start: 0, end: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'G7' }, { kind: 'leak' }, { kind: 'assertion' }],
  apply: (machine) =>
    everyDeviceVm(machine, ({ gpuvm }) =>
      replaceMethod(gpuvm, 'destroyBo', () => (vmBo) => {
        gpuvm.makeZombie(vmBo);
        gpuvm.deferCleanup(vmBo);
      }),
    ),
};
