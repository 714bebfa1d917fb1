/** B79: of a long request only the first piece migrates. */

import { PIECE_PAGES } from '../driver/mirror/mirrorFault.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b079: BugOverlay = {
  id: 'B79',
  title: 'a request of several pieces migrates one',
  wrong: 'The loop over the pieces of a request ends after the first, and reports success.',
  reference: '66cee9097e2b',
  subject: bugCase({
    name: 'a little more than a piece is to migrate',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 65),
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' }, as: 'm' },
    ],
    expect: [{ type: 'ret', step: 'm', value: 0 }],
  }),
  expected: [{ kind: 'wrong-result' }],
  apply: ({ coordinator: { mirror } }) => {
    if (mirror === null) return;
    replaceMethod(
      mirror.migrate,
      'forEachPiece',
      (right) => (context, start, npages, migrate) =>
        right(context, start, Math.min(npages, PIECE_PAGES), migrate),
    );
  },
};
