/** B93: the driver looks at its list of mappings before it takes the lock that the list is changed under. */

import { Errno } from '../base/errno.js';
import type { GpuVaOpList, OpMemory } from '../drm/gpuvm/gpuVaOpList.js';
import type { GpuVaOp } from '../drm/gpuvm/gpuVaOps.js';
import { bugCase, concurrent } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

const bind = (as: string): unknown => ({
  op: 'gpuvm_bind_bo',
  args: { start: 0, end: 2, bo: 'X', bo_off: 0 },
  as,
});

export const b093: BugOverlay = {
  id: 'B93',
  title: 'the list of mappings is read without its lock',
  wrong:
    'What a request has to change is looked up before the lock is taken. Another request changes the list in between, and the first one removes what is gone, or maps where something is mapped.',
  reference: '6c55d6e90e68 (amdkfd: lists with concurrent updates of userptrs)',
  subject: bugCase({
    name: 'two threads bind the same addresses',
    steps: [
      bind('first'),
      concurrent([bind('a')], [{ op: 'gpuvm_unbind', args: { start: 0, end: 2 }, as: 'b' }]),
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: (machine) =>
    everyDeviceVm(machine, (deviceVm) =>
      replaceMethod(deviceVm, 'change', (right) => (plan, cut, kind) => {
        const seen = plan.list();
        if (typeof seen === 'number') return right({ ...plan, list: () => seen }, cut, kind);
        const ops = [...seen];
        seen.free();
        const list = (): GpuVaOpList | Errno => listOf(deviceVm.gpuvm.splitMerge.memory, ops);
        return right({ ...plan, list }, cut, kind);
      }),
    ),
};

/** Made under the lock, of what was seen before it: what the wrong version has of another request's time are the steps, not their memory. */
function listOf(memory: OpMemory, ops: readonly GpuVaOp[]): GpuVaOpList | Errno {
  const list = memory.newList();
  if (list === null) return Errno.ENOMEM;
  for (const op of ops) list.append(op);
  return list;
}
