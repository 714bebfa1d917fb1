/** B112: an eviction waits for the end of an allocation that it holds a reference to. */

import type { Devmem, Zdd, ZddTable } from '../drm/pagemap/devmem.js';
import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { replaceMethod } from './replaceMethod.js';

function dataOf(zdds: ZddTable, devmem: Devmem): Zdd | null {
  for (const zdd of zdds) if (zdd.devmem === devmem) return zdd;
  return null;
}

export const b112: BugOverlay = {
  id: 'B112',
  title: 'eviction waits for detach while it holds a reference itself',
  wrong:
    'The evicting task takes a reference to the zone device data, so that it cannot go under it, and then waits for the completion that the last reference completes.',
  reference: 'predicted; drm_pagemap_evict_to_ram waits for no such completion',
  subject: bugCase({
    name: 'memory of a device is evicted',
    params: { vram_bytes: 2 * 2 ** 20 },
    steps: [
      ...mirrorOn(1),
      buffer('A', 512),
      buffer('B', 512),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 512, pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'B', off: 0, pages: 512, pattern: { p: 'const', v: 2 } } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'L6' }],
  apply: ({ coordinator, sched }) => {
    const { migrate, zdds } = coordinator;
    replaceMethod(
      migrate,
      'evictToRam',
      (right) =>
        function* (devmem) {
          const zdd = dataOf(zdds, devmem);
          const { self } = sched;
          if (zdd !== null) zdds.hold(zdd, self);
          const errno = yield* right(devmem);
          yield* devmem.detached.wait();
          if (zdd !== null) zdds.letGo(zdd, self);
          return errno;
        },
    );
  },
};
