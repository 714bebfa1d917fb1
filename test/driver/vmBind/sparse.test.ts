/** Mappings without memory, all mappings of an object at once, and prefetches of what was bound by hand. */

import { describe, expect, it } from 'vitest';
import type { IoctlReply } from '../../../src/actors/ioctl.js';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { CallPayload } from '../../../src/memory/callPayload.js';
import type { Steps } from '../../../src/sim/steps.js';
import { IoctlRequest } from '../../../src/uapi/ioctlRequest.js';
import { rule } from '../../check/harness.js';
import { BASE, BindMachine } from './bindMachine.js';

function sparse(machine: BindMachine, start: number, end: number): Errno {
  return machine.run(machine.vm().bindSparse({ start: BASE + start, end: BASE + end }))[0].errno;
}

describe('a sparse mapping', () => {
  it('gives zeros to loads, takes stores to nowhere, and never faults', () => {
    const machine = new BindMachine();
    expect(sparse(machine, 0, 4)).toBe(Errno.OK);
    const faults = machine.devices[0].gpu.mmu.counters.pageFaults;
    expect([machine.peek(1), machine.poke(1, 7), machine.peek(1), machine.peek(2)]).toEqual([0, 0, 0, 0]);
    expect(machine.devices[0].gpu.mmu.counters.pageFaults).toBe(faults);
    machine.finish();
  });

  it('gives zeros to an atomic too, which is lost', () => {
    const machine = new BindMachine();
    sparse(machine, 0, 1);
    const { mmu } = machine.devices[0].gpu;
    const add = (): number => {
      const base = mmu.tryAtomic(machine.vm().tagged(BASE));
      expect(base).toBeGreaterThanOrEqual(0);
      return Atomics.add(machine.memory.words, base, 5);
    };
    expect([add(), add()]).toEqual([0, 0]);
    machine.finish();
  });

  it('is one for each device: what another one stores to its own is not seen in the middle of an access', () => {
    const machine = new BindMachine();
    const base = (device: number): number => {
      machine.run(machine.vm(device).bindSparse({ start: BASE, end: BASE + 1 }));
      return machine.devices[device].gpu.mmu.tryPage(machine.vm(device).tagged(BASE), true);
    };
    const first = base(0);
    machine.memory.words[base(1)] = 7;
    expect(machine.memory.words[first]).toBe(0);
    machine.finish();
  });

  it('stays sparse where it is cut, and gives way to an object that is bound over it', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    sparse(machine, 0, 6);
    expect(machine.bind(2, 4, bo, 0).ops.map(({ op }) => op)).toEqual(['remap', 'map']);
    expect(
      [...machine.vm().vas()]
        .filter((va) => va.start >= BASE && va.end <= BASE + 6)
        .map((va) => [va.start - BASE, va.kind, va.isSparse, va.bound]),
    ).toEqual([
      [0, 'sparse', true, true],
      [2, 'bo', false, true],
      [4, 'sparse', true, true],
    ]);
    for (let page = 0; page < 6; page++) machine.poke(page, 10 + page);
    expect([0, 1, 2, 3, 4, 5].map((page) => machine.peek(page))).toEqual([0, 0, 12, 13, 0, 0]);
    machine.finish(bo);
  });

  it('may take many requests to be written', () => {
    const machine = new BindMachine();
    expect(sparse(machine, 0, 1_200)).toBe(Errno.OK);
    for (const page of [0, 511, 512, 1_199])
      expect([machine.poke(page, 7), machine.peek(page)]).toEqual([0, 0]);
    expect(machine.devices[0].gpu.pageTable.entries).toBe(1_200);
    machine.finish();
  });

  it.each([2 ** 20, 2 ** 34])(
    'of more pages than page tables can hold is refused, and what was there works on (%i pages)',
    (npages) => {
      const machine = new BindMachine();
      const bo = machine.bo(2);
      machine.bind(4, 6, bo, 0);
      machine.poke(4, 9);
      expect(sparse(machine, 0, npages)).toBe(Errno.ENOMEM);
      expect([machine.peek(4), machine.poke(5, 3), machine.poke(6, 1)]).toEqual([9, 0, Errno.EFAULT]);
      expect(machine.devices[0].gpu.pageTable.entries).toBe(2);
      expect(sparse(machine, 0, 4)).toBe(Errno.OK);
      machine.finish(bo);
    },
  );

  it('is noticed by the checks when its entries lead to memory', () => {
    const machine = new BindMachine();
    const bo = machine.bo(1);
    machine.bind(0, 1, bo, 0);
    machine.bind(1, 2, bo, 0);
    sparse(machine, 2, 3);
    const [object] = [...machine.vm().vas()].filter((va) => va.kind === 'bo');
    object.flags |= 2;
    expect(rule(machine.verify({ expectations: [] }), 'E2').ok).toBe(false);
    object.flags = 0;
    machine.finish(bo);
  });
});

describe('all mappings of an object', () => {
  it('go with one call, those of other objects stay', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(4), machine.bo(2)];
    machine.bind(0, 2, a, 0);
    machine.bind(4, 6, b, 0);
    machine.bind(8, 10, a, 2);
    const [{ errno, ops }] = machine.run(machine.vm().unbindObject(a));
    expect([errno, ops.map(({ op }) => op), a.vmBos.size]).toEqual([Errno.OK, ['unmap', 'unmap'], 0]);
    expect([machine.poke(0, 1), machine.poke(9, 1), machine.poke(4, 3)]).toEqual([
      Errno.EFAULT,
      Errno.EFAULT,
      0,
    ]);
    expect(machine.run(machine.vm().unbindObject(a))[0]).toEqual({ errno: Errno.OK, ops: [] });
    machine.finish(a, b);
  });
});

describe('a mapping of an object that moves', () => {
  it('is invalidated until it has entries again', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    machine.bind(0, 2, bo, 0);
    const [va] = [...machine.vm().vas()].filter(({ kind }) => kind === 'bo');
    expect(va.isInvalidated).toBe(false);
    machine.run(machine.coordinator.vram.moves.evict(bo));
    expect([va.isInvalidated, va.bound]).toEqual([true, false]);
    machine.run(machine.vm().submit());
    expect([va.isInvalidated, va.bound]).toEqual([false, true]);
    machine.finish(bo);
  });
});

describe('a prefetch of what was bound by hand', () => {
  it('brings an evicted object back and maps it before any access', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    machine.bind(0, 2, bo, 0);
    machine.poke(1, 9);
    machine.run(machine.coordinator.vram.moves.evict(bo));
    expect(bo.memory.isVram).toBe(false);
    const prefetch = function* (): Steps<Errno> {
      return yield* machine.cpus[0].prefetch(vpn(BASE), 2, 0, 1);
    };
    expect(machine.run(prefetch())).toEqual([Errno.OK]);
    expect(bo.memory.isVram).toBe(true);
    const faults = machine.devices[0].gpu.mmu.counters.pageFaults;
    expect([machine.peek(1), machine.devices[0].gpu.mmu.counters.pageFaults]).toEqual([9, faults]);
    machine.finish(bo);
  });
});

describe('driver calls', () => {
  it('bind without memory, take all of an object away, and refuse what 64 bits have no place for', () => {
    const machine = new BindMachine();
    const { ioctls, mm } = machine.coordinator;
    const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
    const reply = (request: IoctlRequest, page: number, npages: number, a = 0): IoctlReply => {
      const call = { mm, thread: 0, payload, device: 0, page: page as Vpn, npages, a, b: 0 };
      return machine.run(ioctls.handle(request, call))[0];
    };
    const call = (...args: Parameters<typeof reply>): number => reply(...args).errno;
    const made = reply(IoctlRequest.vmCreateBo, 0, 2).a;
    expect(call(IoctlRequest.vmBindSparse, BASE, 2)).toBe(Errno.OK);
    expect(call(IoctlRequest.vmBindBo, BASE + 4, 2, made)).toBe(Errno.OK);
    expect([machine.poke(0, 1), machine.peek(0), machine.poke(4, 1), machine.peek(4)]).toEqual([0, 0, 0, 1]);
    expect([call(IoctlRequest.vmUnbindBo, 0, 0, made), machine.poke(4, 1)]).toEqual([Errno.OK, Errno.EFAULT]);
    expect(call(IoctlRequest.vmUnbindBo, 0, 0, made + 1)).toBe(Errno.ENOENT);
    expect(call(IoctlRequest.vmBindSparse, 2 ** 52 - 1, 1)).toBe(Errno.EINVAL);
    expect(call(IoctlRequest.vmBindSparse, BASE, 2 ** 52)).toBe(Errno.EINVAL);
    machine.finish();
  });
});
