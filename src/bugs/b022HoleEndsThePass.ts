/** B22: a pass that brings pages home looks at the first entry only, and that is a hole. */

import { pageOfEntry } from '../drm/pagemap/migrateEntries.js';
import { MigratePfnFlag, NO_PFN } from '../memory/pfn.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b022: BugOverlay = {
  id: 'B22',
  title: 'a hole in front keeps all pages on the device',
  wrong:
    'The zone device data of all pages is taken from the first entry that was collected. Where that is a hole there is none, and the pass ends well with nothing done; the CPU faults again, for ever.',
  reference: 'early versions of __drm_gpusvm_migrate_to_ram',
  subject: bugCase({
    name: 'the CPU reads behind a page that was dropped',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 8, pages: 1, pattern: { p: 'const', v: 2 } } },
      { op: 'madvise', args: { buf: 'A', off: 0, pages: 1, advice: 'dontneed' } },
      { op: 'cpu_read', args: { buf: 'A', off: 8, pages: 1 } },
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: ({ coordinator: { migrate } }) =>
    replaceMethod(migrate.home, 'onlyOf', (right) => (src, npages, zdd) => {
      const first = src.findIndex((entry) => (entry & MigratePfnFlag.MIGRATE) !== 0);
      return pageOfEntry(src, first) === NO_PFN ? new Uint32Array(npages) : right(src, npages, zdd);
    }),
};
