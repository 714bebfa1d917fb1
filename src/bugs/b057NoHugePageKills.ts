/** B57: a device page of 2 MiB must come home as one. */

import type { Machine } from '../actors/machine.js';
import { PMD_PAGES } from '../base/units.js';
import { bugCase, hugeBuffer, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

function failHugePages({ coordinator: { migrate } }: Machine): void {
  replaceMethod(migrate.targets, 'allocLarge', () => () => false);
}

export const b057: BugOverlay = {
  id: 'B57',
  title: 'an access is killed when RAM has no huge page',
  wrong:
    'A large folio needs a large folio in RAM. When there is none, which is no rare thing, the CPU fault fails, though there is room for small pages.',
  reference: 'drm_pagemap, before the fallback to order 0',
  subject: bugCase({
    name: 'a huge page comes home to memory that is in pieces',
    steps: [
      ...mirrorOn(1),
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 512, target: 'gpu0' } },
      { op: 'cpu_read', args: { buf: 'A', off: 0, pages: 1 }, as: 'r' },
    ],
    expect: [{ type: 'ret', step: 'r', value: 0 }],
  }),
  expected: [{ kind: 'invariant', invariant: 'L4' }, { kind: 'wrong-result' }],
  inject: failHugePages,
  apply: (machine) => {
    failHugePages(machine);
    replaceMethod(
      machine.coordinator.migrate.targets,
      'allocSmall',
      (right) => (dst, first, npages) => npages < PMD_PAGES && right(dst, first, npages),
    );
  },
};
