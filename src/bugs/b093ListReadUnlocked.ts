/** B93: the driver looks at its list of mappings before it takes the lock that the list is changed under. */

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
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: (machine) =>
    everyDeviceVm(machine, (deviceVm) =>
      replaceMethod(deviceVm, 'change', (right) => (plan, cut, kind) => {
        const list = plan.list();
        return right({ ...plan, list: () => list }, cut, kind);
      }),
    ),
};
