/** B113: drm_gpusvm never looks whether HMM allows a page to be written. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

/** The kernel does this: a finding, of which no report is known. */
export const b113: BugOverlay = {
  id: 'B113',
  title: 'the right to write is not read',
  wrong:
    'For an own device page that is read-only HMM reports success without the write bit, even to a request to write. The bit is not looked at and the page mapped writable: after fork a device of the parent stores to the page that the child shares.',
  reference: 'drm_gpusvm_get_pages never reads HMM_PFN_WRITE; as in the kernel, see docs/deviations.md',
  subject: bugCase({
    name: 'a device of the parent writes after fork',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'fork', args: { child: 'p1' } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'cpu_read', args: { proc: 'p1', buf: 'A' }, as: 'child' },
    ],
    expect: [{ type: 'data', step: 'child', equals: { p: 'const', v: 1 } }],
  }),
  expected: [{ kind: 'wrong-data' }, { kind: 'invariant' }],
  apply: (machine) => {
    const [vm] = machine.coordinator.vms;
    // One for all mirrors.
    replaceMethod(vm.dma.mapper, 'allows', () => () => true);
  },
};
