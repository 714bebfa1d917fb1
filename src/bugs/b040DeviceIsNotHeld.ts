/** B40: a pagemap does not hold the device whose memory it stands for, nor the module of its driver. */

import { buffer, bugCase, mirrorOn } from './bugCase.js';
import type { BugOverlay } from './bugOverlay.js';

export const b040: BugOverlay = {
  id: 'B40',
  title: 'a device may go while its pagemap is in use',
  wrong:
    'Whoever maps pages of a device keeps its pagemap, and that keeps nothing. When the driver lets go of the device, and its module is unloaded, the last one to use a page calls code that is gone.',
  reference: 'a26084328ac4, drm/pagemap: hold the device and the module of its driver',
  subject: bugCase({
    name: 'a device reads what another one has written',
    steps: [
      ...mirrorOn(2),
      buffer('A', 1),
      { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'gpu_read', args: { dev: 'gpu1', buf: 'A' } },
    ],
  }),
  expected: [{ kind: 'invariant', invariant: 'R3' }, { kind: 'assertion' }],
  apply: ({ coordinator: { vram } }) => {
    for (const { device } of vram.pagemaps.unhold.live) {
      device.life.put();
      device.life.modulePut();
    }
  },
};
