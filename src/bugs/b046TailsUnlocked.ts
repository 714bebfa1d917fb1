/** B46: the way out of an error unlocks each page of a large folio. */

import type { Machine } from '../actors/machine.js';
import { Errno } from '../base/errno.js';
import { PMD_PAGES } from '../base/units.js';
import type { Pfn } from '../memory/pfn.js';
import { bugCase, hugeBuffer, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

function failCopies({ coordinator: { vram } }: Machine): void {
  replaceMethod(
    vram,
    'copyToDevmem',
    () =>
      function* () {
        return Errno.EIO;
      },
  );
}

export const b046: BugOverlay = {
  id: 'B46',
  title: 'tail pages are unlocked and put',
  wrong: 'The loop over the destinations goes page by page, where lock and reference are those of the folio.',
  reference: 'drm/pagemap: unlock and put folios when possible',
  subject: bugCase({
    name: 'the copy of a huge page fails',
    steps: [
      ...mirrorOn(1),
      ...hugeBuffer('A'),
      { op: 'cpu_write', args: { buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 1 } } },
      { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 512, target: 'gpu0' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }],
  inject: failCopies,
  apply: (machine) => {
    failCopies(machine);
    const { kernel, migrate } = machine.coordinator;
    replaceMethod(migrate.targets, 'unlockAndPut', (right) => (head) => {
      const npages = kernel.folios.isLarge(head) ? PMD_PAGES : 1;
      for (let i = 0; i < npages; i++) right((head + i) as Pfn);
    });
  },
};
