/** B110: a device uses pages of one that is no longer of its group. */

import { ptePfn } from '../mm/table/pte.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b110: BugOverlay = {
  id: 'B110',
  title: 'the group of owners has changed since the migration',
  wrong:
    'A walk takes pages for its own by the group that their device was in when they migrated. It has left the group since: nothing leads from the one device to the other.',
  reference: 'predicted for N:1 layouts',
  subject: bugCase({
    name: 'a device reads what another one has that it does not reach',
    params: { interconnect: 'none' },
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'advise_preferred_location', args: { dev: 'gpu1', buf: 'A', target: 'gpu0' } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'invariant' }, { kind: 'assertion' }],
  apply: ({ coordinator: { hmm, kernel } }) =>
    replaceMethod(hmm, 'handleDevicePrivate', (right) => (range, i, pte) => {
      const owner = kernel.pagemapOf(ptePfn(pte))?.owner ?? range.devPrivateOwner;
      return right({ ...range, devPrivateOwner: owner }, i, pte);
    }),
};
