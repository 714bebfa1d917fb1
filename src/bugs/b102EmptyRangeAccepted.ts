/** B102: a range without pages is taken for one. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b102: BugOverlay = {
  id: 'B102',
  title: 'a range of no pages is accepted',
  wrong:
    'Whether a range has any pages is not looked at, and that its end is no address only warns. A request for nothing becomes a mapping of nothing.',
  reference: 'drm_gpuva_mgr v6, drm_gpuva_range_valid',
  subject: bugCase({
    name: 'nothing is bound',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 1, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_bind_bo', args: { start: 4, end: 4, bo: 'X', bo_off: 0 }, as: 'none' },
    ],
    expect: [{ type: 'ret', step: 'none', value: '-EINVAL' }],
  }),
  expected: [{ kind: 'wrong-result' }, { kind: 'assertion' }, { kind: 'invariant', invariant: 'G1' }],
  apply: (machine) =>
    everyDeviceVm(machine, ({ gpuvm }) =>
      replaceMethod(
        gpuvm,
        'rangeValid',
        (right) => (start, end) => (start === end ? gpuvm.inMmRange(start, end) : right(start, end)),
      ),
    ),
};
