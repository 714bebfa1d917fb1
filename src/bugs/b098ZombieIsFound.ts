/** B98: what a VM knows of an object is still found after its last reference has gone. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b098: BugOverlay = {
  id: 'B98',
  title: 'a zombie is found by the next look-up',
  wrong:
    'Freeing is put off, since it may not be done in the path of fences, and taking the dead one off the list of its object is put off with it. The next request to map the object finds it and takes a reference to what is gone.',
  reference: 'A. Ryhl, drm/gpuvm: add deferred vm_bo cleanup, October 2025',
  subject: bugCase({
    name: 'an object is bound again',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 1, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_unbind', args: { start: 0, end: 1 } },
      { op: 'gpuvm_bind_bo', args: { start: 2, end: 3, bo: 'X', bo_off: 0 } },
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: (machine) => everyDeviceVm(machine, ({ gpuvm }) => replaceMethod(gpuvm, 'unlistBo', () => () => {})),
};
