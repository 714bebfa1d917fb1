/** B103: when there is no memory for the last part of a step, one of the parts before it is forgotten. */

import type { Machine } from '../actors/machine.js';
import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

function failTails(machine: Machine): void {
  everyDeviceVm(machine, ({ gpuvm: { splitMerge } }) =>
    replaceMethod(splitMerge.memory, 'alloc', (right) => (kind) => kind !== 'next' && right(kind)),
  );
}

export const b103: BugOverlay = {
  id: 'B103',
  title: 'a step that finds no memory forgets the copy of its unmap',
  wrong:
    'A remap is copied in parts: unmap, head, tail. The labels that undo them stand in the wrong order, so that without memory for the tail the head is freed and the unmap is not. Here the memory for a tail is always missing.',
  reference: 'drm_gpuvm.c, gpuva_op_alloc path of drm_gpuva_sm_step; still upstream',
  subject: bugCase({
    name: 'a hole is made into a mapping without memory for its tail',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 3, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_unbind', args: { start: 1, end: 2 } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'R4' }],
  inject: failTails,
  apply: (machine) => {
    failTails(machine);
    everyDeviceVm(machine, ({ gpuvm: { splitMerge } }) =>
      replaceMethod(splitMerge.memory, 'unwind', (right) => (allocated) => {
        const isTail = allocated.at(-1) === 'prev';
        right(isTail ? allocated.filter((kind) => kind !== 'unmap') : allocated);
      }),
    );
  },
};
