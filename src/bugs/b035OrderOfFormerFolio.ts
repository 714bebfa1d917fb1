/** B35: a device page keeps the order of the folio that it was part of before. */

import { buffer, bugCase, hugeBuffer } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b035: BugOverlay = {
  id: 'B35',
  title: 'a device page is used again with the order of before',
  wrong:
    'Initialising a device page leaves the order alone. A page that was the head of a large folio counts as one again, and the pages behind it as its tails.',
  reference: '12b2285bf3d1',
  subject: bugCase({
    name: 'memory that held a huge page gets small ones',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0', kind: 'private' } },
      ...hugeBuffer('A'),
      buffer('B', 2),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_write', args: { buf: 'B', pattern: { p: 'const', v: 2 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'migrate_to_sys', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'B' } },
      { op: 'cpu_read', args: { buf: 'B' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: ({ coordinator: { kernel } }) => {
    const { folios, memory } = kernel;
    const orders = new Map<number, number>();
    replaceMethod(folios, 'prepareNew', (right) => (page, order, refcount) => {
      const isDevice = memory.layout.isDevicePrivate(page);
      const stale = isDevice ? (orders.get(page) ?? order) : order;
      if (isDevice) orders.set(page, stale);
      right(page, stale, refcount);
    });
  },
};
