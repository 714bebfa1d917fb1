/** B68: entries of a userptr are written although its pages were invalidated since they were pinned. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyDeviceVm } from './everyDeviceVm.js';
import { bindA, dropA, storeThroughA } from './programs/userptr.js';
import { replaceMethod } from './replaceMethod.js';

export const b068: BugOverlay = {
  id: 'B68',
  title: 'a userptr is bound without a look at whether it still is pinned',
  wrong:
    'Between pinning and the notifier lock an invalidation may take the pages. Whoever does not look again under the lock writes entries that lead to pages which are gone.',
  reference: 'xe userptr fixes, xe merge request 215',
  subject: bugCase({
    name: 'memory is dropped while a device stores to it',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      bindA,
      dropA,
      concurrent([storeThroughA], [dropA]),
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'wrong-data' }],
  apply: (machine) =>
    everyDeviceVm(machine, ({ binder }) => replaceMethod(binder, 'mayPublish', () => () => true)),
};
