/** B12: the notifier of a userptr is inserted before what its callback needs is there. */

import { AssertionFailure } from '../base/assert.js';
import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { bindA, dropA } from './programs/userptr.js';
import { replaceMethod } from './replaceMethod.js';

export const b012: BugOverlay = {
  id: 'B12',
  title: 'a userptr gets callbacks before it is set up',
  wrong:
    'Callbacks may come as soon as the notifier is inserted. The pages that they unmap are set up only after that, so an invalidation in between works on what nobody has written yet.',
  reference: 'series that separates pages from ranges, version 3',
  subject: bugCase({
    name: 'memory is dropped while it is bound',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      concurrent([bindA], [dropA]),
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: (machine) =>
    everyDeviceVm(machine, (deviceVm) =>
      replaceMethod(deviceVm, 'newUserptr', (right) => (...args) => {
        const userptr = right(...args);
        let isSetUp = false;
        replaceMethod(
          userptr,
          'register',
          (register) =>
            function* () {
              const errno = yield* register();
              // Memory for the pages.
              yield* machine.sched.sleep(2_000);
              isSetUp = true;
              return errno;
            },
        );
        replaceMethod(userptr, 'invalidate', (invalidate) => (...event) => {
          if (!isSetUp) throw new AssertionFailure('a callback finds pages that are not set up');
          return invalidate(...event);
        });
        return userptr;
      }),
    ),
};
