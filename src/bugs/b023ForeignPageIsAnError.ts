/** B23: HMM takes a page in the memory of another device for an error instead of bringing it home. */

import { Errno } from '../base/errno.js';
import { NO_OWNER } from '../mm/migrate/devPagemap.js';
import { ptePfn } from '../mm/table/pte.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b023: BugOverlay = {
  id: 'B23',
  title: 'a device page of another owner is an error',
  wrong:
    'The walk knows own device pages and takes all others for a mistake, where a fault would bring them home. The second of two devices cannot read what the first one has.',
  reference: '8a295dbbaf72, mm/hmm: fault non-owner device private entries',
  subject: bugCase({
    name: 'a device reads what another one has',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      { op: 'bind_mirror', args: { dev: 'gpu1', kind: 'private' } },
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'ret', step: 'r', value: 0 }],
  }),
  expected: [{ kind: 'wrong-result' }],
  apply: ({ coordinator: { kernel, hmm, mirror } }) => {
    for (const each of mirror === null ? [hmm] : [hmm, mirror.hmm]) {
      replaceMethod(each, 'handleDevicePrivate', (right) => (range, i, pte) => {
        const owner = kernel.pagemapOf(ptePfn(pte))?.owner ?? NO_OWNER;
        return owner === range.devPrivateOwner ? right(range, i, pte) : each.refuse(Errno.EFAULT);
      });
    }
  },
};
