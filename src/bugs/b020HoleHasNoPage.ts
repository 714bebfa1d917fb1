/** B20: what is collected around a CPU fault is taken for pages, and some of it are holes. */

import { pageOfEntry } from '../drm/pagemap/migrateEntries.js';
import { MigratePfnFlag } from '../memory/pfn.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b020: BugOverlay = {
  id: 'B20',
  title: 'a hole beside the fault page is followed as if it were a page',
  wrong:
    'An entry that may migrate need not have a page: empty entries are collected too. The pass asks each for its zone device data and follows a pointer that is not there.',
  reference: 'reply to the first posting of drm_gpusvm.c, drm_gpusvm_migrate_populate_ram_pfn',
  subject: bugCase({
    name: 'the CPU reads beside a page that was dropped',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 2 } } },
      { op: 'madvise', args: { buf: 'A', off: 8, pages: 1, advice: 'dontneed' } },
      { op: 'cpu_read', args: { buf: 'A', off: 0, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'assertion' }],
  apply: ({ coordinator: { kernel, migrate, zdds } }) =>
    replaceMethod(migrate.home, 'onlyOf', (right) => (src, npages, zdd) => {
      for (let i = 0; i < npages; i++) {
        if ((src[i] & MigratePfnFlag.MIGRATE) !== 0) zdds.get(kernel.folios.zoneData(pageOfEntry(src, i)));
      }
      return right(src, npages, zdd);
    }),
};
