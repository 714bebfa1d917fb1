/** B106: the array of a range's pages objects is replaced without the lock under which others use it. */

import { STEP } from '../sim/steps.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b106: BugOverlay = {
  id: 'B106',
  title: 'the array of pages objects grows without the lock',
  wrong:
    'A device that comes to a range allocates a larger array, moves what is there and puts it in place, without the notifier lock for write. Two that come at a time each put their own in place, and what the first has mapped in the meantime is lost.',
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'two devices come to a range',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent(
        [{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }],
        [{ op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } }],
      ),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, (vm) =>
      replaceMethod(
        vm,
        'partOf',
        (right) =>
          function* (range, gpu) {
            const found = range.find(gpu);
            if (found !== null) return found;
            const prepared = range.prepare(range.gpusWith(gpu));
            // The allocation.
            yield STEP;
            range.install(prepared);
            return yield* right(range, gpu);
          },
      ),
    ),
};
