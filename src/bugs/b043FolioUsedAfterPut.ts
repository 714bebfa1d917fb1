/** B43: a page is unlocked after its last reference is gone. */

import type { Machine } from '../actors/machine.js';
import { AllocSite, FailureInjector } from '../memory/failureInjector.js';
import { alignedBuffer } from './alignedBuffer.js';
import { bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

/** Of what comes home at a time there is RAM for the first page only. */
function failAfterFirstPage({ coordinator: { kernel, migrate } }: Machine): void {
  const injector = new FailureInjector();
  kernel.injectFailures(injector);
  replaceMethod(migrate.targets, 'allocSmall', (right) => (dst, first, npages) => {
    if (first > 0) injector.failNext(AllocSite.RamPage);
    return right(dst, first, npages);
  });
}

export const b043: BugOverlay = {
  id: 'B43',
  title: 'a page is used after its put in the way out of an allocation error',
  wrong:
    'When RAM runs out in the middle of an eviction, the pages that were allocated are put first and unlocked then. By that time they are free.',
  reference: 'df72e55e754c',
  subject: bugCase({
    name: 'RAM runs out while two pages come home',
    steps: [
      ...mirrorOn(1),
      alignedBuffer('A', 16),
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'cpu_read', args: { buf: 'A' }, as: 'r' },
    ],
    expect: [{ type: 'one_of', step: 'r', values: [0, '-EFAULT'] }],
  }),
  expected: [{ kind: 'assertion' }],
  inject: failAfterFirstPage,
  apply: (machine) => {
    failAfterFirstPage(machine);
    const { kernel, migrate } = machine.coordinator;
    replaceMethod(migrate.targets, 'unlockAndPut', () => (head) => {
      kernel.folios.put(head);
      kernel.folioLocks.unlock(head);
    });
  },
};
