/** B84: a driver migrates from the start of a span to its start. */

import { NO_PFN } from '../memory/pfn.js';
import { buffer, bugCase } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b084: BugOverlay = {
  id: 'B84',
  title: 'a driver names the wrong end of a span',
  wrong:
    'The page of a CPU fault is to come home, and the driver hands in its start for its end. There is nothing to migrate, and the access is killed.',
  reference: 'cfa736f5a6f3',
  subject: bugCase({
    name: 'a thread reads a page that a device has',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      buffer('A', 1),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'ret', step: 'r', value: 0 }],
  }),
  expected: [{ kind: 'wrong-result' }],
  apply: ({ coordinator: { mirror } }) => {
    if (mirror === null) return;
    replaceMethod(
      mirror.migrateVma,
      'setup',
      (right) => (args) => right(args.faultPage === NO_PFN ? args : { ...args, end: args.start }),
    );
  },
};
