/** B52: an eviction begins again until all is gone. */

import { Errno } from '../base/errno.js';
import { pfn } from '../memory/pfn.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

export const b052: BugOverlay = {
  id: 'B52',
  title: 'eviction tries for ever',
  wrong:
    'The loop has no bound as long as no pass reports an error. A page that somebody holds is no error, and stays.',
  reference: 'drm_gpusvm, first version of evict_to_ram',
  subject: bugCase({
    name: 'memory is needed of which a page is held',
    params: { vram_bytes: 2 * 2 ** 20 },
    steps: [
      ...mirrorOn(1),
      buffer('A', 512),
      buffer('B', 512),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'B', off: 0, pages: 1, pattern: { p: 'const', v: 2 } } },
    ],
  }),
  expected: [{ kind: 'livelock' }],
  apply: ({ coordinator: { kernel, migrate } }) => {
    const { home } = migrate;
    replaceMethod(
      migrate,
      'evictToRam',
      () =>
        function* (devmem) {
          const pfns = new Uint32Array(devmem.npages);
          devmem.copyOps.populateDevmemPfn(devmem, devmem.npages, pfns);
          // Somebody holds a page for as long as this takes.
          const held = kernel.folios.headOf(pfn(pfns[0]));
          if (!devmem.detached.isDone) kernel.folios.get(held);
          let errno: Errno = Errno.OK;
          while (!devmem.detached.isDone && errno === Errno.OK) errno = yield* home.evictPass(devmem);
          kernel.folios.put(held);
          return errno;
        },
    );
  },
};
