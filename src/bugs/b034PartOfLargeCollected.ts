/** B34: collect takes a page of a large folio as if it were a folio of its own. */

import { bugCase, hugeBuffer } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b034: BugOverlay = {
  id: 'B34',
  title: 'a part of a large folio is collected without a split',
  wrong:
    'Where entries of one page map a large folio, collect locks and counts each page by itself. Locks and references are those of the whole folio.',
  reference: '52668fffc043',
  subject: bugCase({
    name: 'half of a huge page is to migrate',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'munmap', args: { buf: 'A', off: 256, pages: 256 } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 2 }, as: 'm' },
    ],
    expect: [{ type: 'ret', step: 'm', value: 0 }],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'wrong-result' }],
  apply: ({ coordinator: { kernel, migrate, mirror } }) => {
    let isCollecting = false;
    replaceMethod(kernel.folios, 'isLarge', (right) => (page) => !isCollecting && right(page));
    for (const each of mirror === null ? [migrate.migrateVma] : [migrate.migrateVma, mirror.migrateVma]) {
      replaceMethod(each, 'collectTable', (right) => (args, start, end) => {
        isCollecting = true;
        const reached = right(args, start, end);
        isCollecting = false;
        return reached;
      });
    }
  },
};
