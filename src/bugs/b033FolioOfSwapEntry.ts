/** B33: collect takes the number in a swap entry for that of a page. */

import { PteKind, pteFromWord } from '../mm/table/pte.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b033: BugOverlay = {
  id: 'B33',
  title: 'a page is derived from an entry that names none',
  wrong:
    'Collect looks at the number in the entry before it looks at the kind of the entry. In a swap entry it is a slot, and the page with that number is somebody else\u2019s.',
  reference: '317e878de1a7, 78745efbcd17',
  subject: bugCase({
    name: 'a page that is swapped out is to migrate',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 2),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'reclaim', args: { buf: 'A' } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  apply: ({ coordinator: { migrate, mirror } }) => {
    for (const each of mirror === null ? [migrate.migrateVma] : [migrate.migrateVma, mirror.migrateVma]) {
      replaceMethod(each, 'collectUnmapped', (right) => (args, i, kind) => {
        if (kind !== PteKind.Swap) {
          right(args, i, kind);
          return;
        }
        const table = args.mm.pageTable;
        const slot = table.slot(args.start + i);
        each.collectPage(args, i, table, slot, pteFromWord(table.read(slot)));
      });
    }
  },
};
