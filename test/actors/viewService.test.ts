/** What processes see through GPUs of the reference driver: nothing without a mirror, and nothing that outlives them. */

import { expect, it } from 'vitest';
import { IoctlTable } from '../../src/actors/ioctl.js';
import { ViewService } from '../../src/actors/viewService.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { System } from '../driver/harness.js';

const AREA = 0x1000;

it.each([
  ['is bound and alive', true, true, 0, Errno.OK, 1],
  ['has no mirror', false, true, 0, Errno.ENODEV, 0],
  ['ends while it asks', true, false, 0, Errno.ENODEV, 0],
  ['names no device', true, true, 9, Errno.ENODEV, 0],
] as const)('a process that %s', (_, bound, alive, device, errno, left) => {
  const system = new System({});
  system.map(AREA, 4);
  const { mm, gpuViews: views, gpus } = system.coordinator;
  const before = mm.notifiers.intervals;
  const table = new IoctlTable();
  new ViewService({ views, gpus, isBound: () => bound, isAlive: () => alive }).register(table);
  const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
  const call = { mm, thread: 0, device, page: vpn(AREA), npages: 4, a: 0, b: 0, payload };
  const reply = system.run(table.handle(IoctlRequest.mirrorSnapshot, call));
  expect([reply.errno, views.views.length, mm.notifiers.intervals - before]).toEqual([errno, left, left]);
  system.run(views.closeAll(mm));
  system.tearDown();
});
