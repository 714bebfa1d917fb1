/** B64: a bind that has a mirror in its way reports that there is no memory. */

import { Errno } from '../base/errno.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b064: BugOverlay = {
  id: 'B64',
  title: '-EBUSY of a bind is reported as -ENOMEM',
  wrong:
    'Pinning pages of the process ends with -EBUSY when they are invalidated for too long. From a bind this would say that something is in its way, so xe makes it -ENOMEM. Where that is done for the whole bind, the -EBUSY of a mirror with ranges goes too: the program frees memory, and never lets go of the mirror.',
  reference: 'predicted: the change of 6028f5962092, made for more than the pinning',
  subject: bugCase({
    name: 'an object is bound over a range that a device has',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'bind_bo', args: { dev: 'gpu0', buf: 'A' }, as: 'b' },
    ],
    expect: [{ type: 'ret', step: 'b', value: '-EBUSY' }],
  }),
  expected: [{ kind: 'wrong-result' }],
  apply: (machine) =>
    everyMirror(machine, ({ deviceVms }) => {
      for (const deviceVm of deviceVms.values()) {
        replaceMethod(
          deviceVm,
          'bindBo',
          (right) =>
            function* (...place) {
              const result = yield* right(...place);
              return result.errno === Errno.EBUSY ? { ...result, errno: Errno.ENOMEM } : result;
            },
        );
      }
    }),
};
