/** B75: the address of a request is computed with 32 bits. */

import { PAGE_BYTES, type Vpn } from '../base/units.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b075: BugOverlay = {
  id: 'B75',
  title: 'an address loses its upper half',
  wrong:
    'A number of pages is shifted to one of bytes as a number of 32 bits. What lies above 4 GiB is looked for below.',
  reference: 'test_hmm: prevent shift wrapping',
  subject: bugCase({
    name: 'memory at a usual address migrates',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 1),
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' }, as: 'm' },
    ],
    expect: [{ type: 'ret', step: 'm', value: 0 }],
  }),
  expected: [{ kind: 'wrong-result' }],
  apply: ({ coordinator: { mirror } }) => {
    if (mirror === null) return;
    replaceMethod(
      mirror,
      'migrateToDevice',
      (right) => (context, start, npages, sink) =>
        right(context, (((start * PAGE_BYTES) >>> 0) / PAGE_BYTES) as Vpn, npages, sink),
    );
  },
};
