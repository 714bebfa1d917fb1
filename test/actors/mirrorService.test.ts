/** What processes have open of a device that mirrors by hand. */

import { expect, it } from 'vitest';
import { type IoctlReply, IoctlTable } from '../../src/actors/ioctl.js';
import { MirrorService } from '../../src/actors/mirrorService.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { BUF, MirrorMachine } from '../driver/mirror/harness.js';
import { run } from '../mm/harness.js';

it.each([true, false])('leaves no context behind of a process that ends while it opens one: %s', (ends) => {
  const m = new MirrorMachine({ vramPages: [256] });
  const { kernel } = m.machine;
  const [device] = m.driver.devices;
  run(kernel, device.close(m.contexts[0]));
  const table = new IoctlTable();
  new MirrorService(m.driver, () => !ends).register(table);
  const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
  const call = { mm: m.mm, thread: 0, device: 0, page: vpn(BUF), npages: 1, a: 0, b: 0, payload };
  const reply: IoctlReply = run(kernel, table.handle(IoctlRequest.mirrorOpen, call));
  expect(reply.errno).toBe(ends ? Errno.ENODEV : Errno.OK);
  expect([[...device.contexts].length, m.mm.notifiers.intervals]).toEqual(ends ? [0, 0] : [1, 1]);
});
