/** B21: a range that could not be allocated is used. */

import { assert } from '../base/assert.js';
import { AllocSite, FailureInjector } from '../memory/failureInjector.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyMirror } from './everyMirror.js';
import { replaceMethod } from './replaceMethod.js';

export const b021: BugOverlay = {
  id: 'B21',
  title: 'the error of an allocation is followed as a pointer',
  wrong: 'The result of allocating a range is used before anybody asks whether it is one.',
  reference: 'c1c9cad50c5c',
  subject: bugCase({
    name: 'a device reads a page while memory is short',
    steps: [...mirrorOn(1), buffer('A', 1), { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }],
  }),
  expected: [{ kind: 'assertion' }],
  apply: (machine) =>
    everyMirror(machine, ({ kernel, gpusvm: { finder } }) => {
      if (finder === null) return;
      replaceMethod(finder, 'rangeAlloc', (right) => (...span) => {
        const injector = new FailureInjector();
        injector.failNext(AllocSite.MirrorObject);
        kernel.injectFailures(injector);
        const range = right(...span);
        kernel.injectFailures(null);
        assert(range !== null, 'an errno is followed as a pointer to a range');
        return range;
      });
    }),
};
