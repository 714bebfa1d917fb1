/** B38: a page that was written migrates as if it were clean. */

import { FolioFlag } from '../memory/folios.js';
import { PteBit, pteFromWord, ptePfn, pteWithout } from '../mm/table/pte.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b038: BugOverlay = {
  id: 'B38',
  title: 'the dirty bit of an entry does not go to the folio',
  wrong:
    'The migration entry replaces one that said that the page was written, and nobody keeps that. A page that the process had given up before it wrote to it again counts as given up.',
  reference: 'fd35ca3d12cc',
  subject: bugCase({
    name: 'a page that was given up is written, migrates, and memory gets short',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'madvise', args: { buf: 'A', advice: 'free' } },
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 2 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'migrate_to_sys', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'reclaim', args: { buf: 'A' } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'data', step: 'r', equals: { p: 'const', v: 2 } }],
  }),
  expected: [{ kind: 'wrong-result' }, { kind: 'wrong-data' }, { kind: 'invariant' }],
  apply: ({ coordinator: { kernel, rmap, mirror } }) => {
    for (const each of mirror === null ? [rmap] : [rmap, mirror.rmap]) {
      replaceMethod(each, 'replaceByMigrationEntryAt', (right) => (table, slot, old) => {
        const last = right(table, slot, old);
        kernel.folios.clearFlag(ptePfn(old), FolioFlag.Dirty);
        table.write(slot, pteWithout(pteFromWord(table.read(slot)), PteBit.Dirty));
        return last;
      });
    }
  },
};
