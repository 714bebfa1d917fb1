/** B10: a range leaves the tree while its pages are mapped, and who frees it is to unmap them. */

import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b010: BugOverlay = {
  id: 'B10',
  title: 'a range is removed with its DMA mappings',
  wrong:
    'Removal takes the range out of the tree and leaves unmapping to the last reference. An invalidation in between finds no range, and the device keeps addresses of pages that go.',
  reference: 'review of the series that separates pages from ranges, version 6; its example does it too',
  subject: bugCase({
    name: 'advice splits a range that a device has',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      // In RAM, since pages in the device's memory come home before the split, and lose their mappings then.
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', target: 'sys' } },
      { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
      { op: 'advise_preferred_location', args: { dev: 'gpu0', buf: 'A', off: 8, pages: 8, target: 'gpu0' } },
    ],
  }),
  expected: [{ kind: 'assertion' }, { kind: 'invariant' }, { kind: 'leak' }],
  apply: (machine) =>
    everyMirror(machine, (vm) => {
      replaceMethod(
        vm,
        'unmapParts',
        () =>
          function* (range, parts) {
            const { notifierLock } = vm.gpusvm;
            yield* notifierLock.write();
            yield* vm.invalidation.dropTranslations(range, parts);
            notifierLock.writeUnlock();
          },
      );
    }),
};
