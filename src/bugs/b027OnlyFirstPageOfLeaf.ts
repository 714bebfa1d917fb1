/** B27: of a huge page in device memory HMM fills in the first page only. */

import { PMD_PAGES } from '../base/units.js';
import { Need } from '../mm/mirror/hmm.js';
import { pteIsHuge } from '../mm/table/pte.js';
import { bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b027: BugOverlay = {
  id: 'B27',
  title: 'only the first page of a huge device entry is filled in',
  wrong:
    'A PMD that names a huge page in device memory fills one entry of the array instead of 512: all other pages look as if nothing were there.',
  reference: 'mm/hmm: populate PFNs from PMD swap entry',
  subject: bugCase({
    name: 'a device reads a huge page that it has',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      {
        op: 'mmap',
        args: {
          buf: 'A',
          pages: PMD_PAGES,
          prot: 'rw',
          share: 'private',
          backing: 'anon',
          align_pages: PMD_PAGES,
        },
      },
      { op: 'madvise', args: { buf: 'A', advice: 'hugepage' } },
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      // The device forgets its translations, and asks again in the middle of the page.
      { op: 'mprotect', args: { buf: 'A', prot: 'r' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 64, pages: 1 }, as: 'r' },
    ],
    expect: [{ type: 'ret', step: 'r', value: 0 }],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'livelock' }, { kind: 'invariant' }, { kind: 'wrong-result' }],
  apply: ({ coordinator: { hmm, mirror } }) => {
    for (const each of mirror === null ? [hmm] : [hmm, mirror.hmm]) {
      replaceMethod(each, 'handleDevicePrivate', (right) => (range, i, pte) => {
        if (pteIsHuge(pte) && (range.start + i) % PMD_PAGES !== 0) return Need.Nothing;
        return right(range, i, pte);
      });
    }
  },
};
