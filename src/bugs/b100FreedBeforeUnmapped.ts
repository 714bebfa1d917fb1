/** B100: a region is taken from the books while its page-table entries are still there. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b100: BugOverlay = {
  id: 'B100',
  title: 'a region is freed before its entries are gone',
  wrong:
    'Unbinding takes the mapping from the VM and leaves taking its entries from the device to later, which never comes. The device reaches memory that is no longer its own.',
  reference: 'ccf930812f23, 38a62306c426 (nouveau uvmm)',
  subject: bugCase({
    name: 'an object is unbound',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 1, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_unbind', args: { start: 0, end: 1 } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'assertion' }],
  apply: (machine) =>
    everyDeviceVm(machine, (deviceVm) => replaceMethod(deviceVm, 'zap', () => function* () {})),
};
