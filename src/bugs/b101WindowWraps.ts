/** B101: the search for mappings in the way takes the end for a length, and its window wraps. */

import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { replaceMethod } from './replaceMethod.js';

export const b101: BugOverlay = {
  id: 'B101',
  title: 'the search for mappings takes the end for a length',
  wrong:
    'The loop over a range hands its end to a search that wants a length. The window is too large, which does no harm, until start and end together are beyond the last address: it wraps to one without addresses, and mappings in the way are missed. In the kernel the sum wraps at 64 bits, here at the end of the VM.',
  reference: 'drm_gpuva_mgr v6, drm_gpuva_for_each_va_range',
  subject: bugCase({
    name: 'an object is bound over another',
    steps: [
      { op: 'gpuvm_bind_bo', args: { start: 0, end: 2, bo: 'X', bo_off: 0 } },
      { op: 'gpuvm_bind_bo', args: { start: 1, end: 3, bo: 'Y', bo_off: 0 } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant', invariant: 'G1' }],
  apply: (machine) =>
    everyDeviceVm(machine, ({ gpuvm }) =>
      replaceMethod(gpuvm.splitMerge, 'inTheWay', (right) => (span) => {
        const last = (span.start + span.end) % gpuvm.span.end;
        return last < span.start ? [] : right(span);
      }),
    ),
};
