/** B37: CPUs lose their translations of pages that migrate only after the page-table lock is gone. */

import { buffer, bugCase, concurrent, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';
import { everyUnmapper } from './everyUnmapper.js';
import { replaceMethod } from './replaceMethod.js';

const write = (v: number): unknown => ({ op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v } } });

export const b037: BugOverlay = {
  id: 'B37',
  title: 'TLBs are flushed after the page-table lock was dropped',
  wrong:
    'The entries of pages that are to move have been replaced, and CPUs go on storing through what they have read before, until the flush. By then the page may be copied: what is stored is lost.',
  reference: '60bae7370896, mm/migrate_device.c: flush TLB while holding PTL',
  subject: bugCase({
    name: 'a thread writes to a page that migrates',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      write(1),
      concurrent([{ op: 'gpu_read', args: { dev: 'gpu0', buf: 'A' } }], [write(2), write(3)]),
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'M8' }, { kind: 'wrong-data' }, { kind: 'wrong-result' }],
  apply: (machine) => {
    const { kernel, migrate } = machine.coordinator;
    let isDue = false;
    replaceMethod(migrate.migrateVma, 'flushCollected', () => () => {
      isDue = true;
    });
    everyUnmapper(machine, (unmapper) =>
      replaceMethod(unmapper, 'unmap', (right) => (...pages) => {
        if (isDue) kernel.flushCpuTlbs();
        isDue = false;
        return right(...pages);
      }),
    );
  },
};
