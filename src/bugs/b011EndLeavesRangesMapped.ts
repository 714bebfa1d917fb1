/** B11: the end of a mirror counts on gpusvm to unmap what is left. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b011: BugOverlay = {
  id: 'B11',
  title: 'the end of a mirror leaves its ranges mapped',
  wrong:
    'drm_gpusvm_fini used to unmap what was left; since pages belong to the driver it does not, and nobody else does.',
  reference: 'series that separates pages from ranges, version 10',
  subject: bugCase({
    name: 'a process ends that a device reads',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, (vm) =>
      replaceMethod(
        vm,
        'unmapEverything',
        () =>
          function* () {
            yield* vm.detach(vm.gpus);
          },
      ),
    ),
};
