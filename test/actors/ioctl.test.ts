/** Driver calls find the handler of their request, and a request without one is an error of the caller. */

import { describe, expect, it } from 'vitest';
import { type IoctlCall, IoctlTable, ioctlReply } from '../../src/actors/ioctl.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import { Mm } from '../../src/mm/process/mm.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { System } from '../driver/harness.js';

function callOn(system: System): IoctlCall {
  const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
  const mm = new Mm(system.coordinator.kernel, 2);
  return { mm, thread: 0, device: 1, page: vpn(16), npages: 2, a: 3, b: 4, payload };
}

describe('the table of driver calls', () => {
  it('hands a call to the handler of its request', () => {
    const system = new System();
    const call = callOn(system);
    const table = new IoctlTable();
    table.register(IoctlRequest.mirrorRead, function* ({ mm, device, page, npages, a, b }) {
      return ioctlReply(Errno.OK, mm.id + device, page + npages + a + b);
    });
    const reply = system.run(table.handle(IoctlRequest.mirrorRead, call));
    expect(reply).toEqual({ errno: Errno.OK, a: 3, b: 25 });
  });

  it('refuses what no driver knows, and two handlers of one request', () => {
    const system = new System();
    const table = new IoctlTable();
    const reply = system.run(table.handle(IoctlRequest.mirrorRead, callOn(system)));
    expect(reply.errno).toBe(Errno.EOPNOTSUPP);
    const handler = function* () {
      return ioctlReply(Errno.OK);
    };
    table.register(IoctlRequest.mirrorRead, handler);
    expect(() => table.register(IoctlRequest.mirrorRead, handler)).toThrow('two handlers');
  });
});
