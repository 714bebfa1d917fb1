/** Binds that find no page tables: everything is mapped as before, and works on. */

import { describe, expect, it, vi } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { BUFFER } from '../../check/harness.js';
import { BASE, BindMachine } from './bindMachine.js';

/** One of the device's next requests to write entries fails; the first is 1. */
function failBind(machine: BindMachine, which: number, errno: Errno = Errno.ENOMEM): void {
  const { gpu } = machine.devices[0];
  const real = gpu.bind.bind(gpu);
  let seen = 0;
  vi.spyOn(gpu, 'bind').mockImplementation((...args) => (++seen === which ? errno : real(...args)));
}

/** The mappings by hand as `first-end kind offset`; pages count from where tests bind. */
function mappings(machine: BindMachine): string[] {
  const found = [...machine.vm().vas()].filter(({ kind }) => kind !== 'mirror');
  return found.map(({ start, end, kind, offset }) => `${start - BASE}-${end - BASE} ${kind} ${offset}`);
}

describe('a bind that finds no page tables', () => {
  it('for its second part takes back the first, from the TLB too, where an access has gone through it meanwhile', () => {
    const machine = new BindMachine({ vramPages: 1024 });
    const { gpu } = machine.devices[0];
    const bo = machine.bo(600);
    const real = gpu.bind.bind(gpu);
    let parts = 0;
    vi.spyOn(gpu, 'bind').mockImplementation((...args) => {
      if (++parts === 2) return Errno.ENOMEM;
      const errno = real(...args);
      expect(gpu.mmu.tryPage(vpn(BASE), true)).toBeGreaterThan(0);
      return errno;
    });
    expect(machine.bind(0, 600, bo, 0).errno).toBe(Errno.ENOMEM);
    expect([parts, gpu.pageTable.entries, gpu.tlb.lookup(vpn(BASE), true)]).toEqual([2, 0, 0]);
    expect(machine.poke(0, 1)).toBe(Errno.EFAULT);
    machine.finish(bo);
  });

  it.each([Errno.ENOMEM, Errno.ENODEV])('says so and maps nothing (errno %i)', (errno) => {
    const machine = new BindMachine();
    const bo = machine.bo(4);
    failBind(machine, 1, errno);
    expect(machine.bind(0, 4, bo, 0)).toEqual({ errno, ops: [] });
    expect(mappings(machine)).toEqual([]);
    expect(machine.devices[0].gpu.pageTable.entries).toBe(0);
    expect(machine.poke(0, 1)).toBe(Errno.EFAULT);
    // The next attempt is another one.
    expect(machine.bind(0, 4, bo, 0).errno).toBe(Errno.OK);
    machine.finish(bo);
  });

  it('over the middle of an object leaves the object there, whole', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(6), machine.bo(2)];
    machine.bind(0, 6, a, 0);
    for (let page = 0; page < 6; page++) machine.poke(page, 10 + page);
    failBind(machine, 1);
    expect(machine.bind(2, 4, b, 0)).toEqual({ errno: Errno.ENOMEM, ops: [] });
    expect(mappings(machine)).toEqual(['0-6 bo 0']);
    for (let page = 0; page < 6; page++) expect(machine.peek(page)).toBe(10 + page);
    machine.poke(3, 77);
    expect([machine.inBo(a, 3), machine.inBo(b, 1)]).toEqual([77, 0]);
    machine.finish(a, b);
  });

  it('over all of an object that is evicted leaves it one that the next launch brings back', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(2), machine.bo(2)];
    machine.bind(0, 2, a, 0);
    machine.poke(1, 5);
    machine.run(machine.coordinator.vram.moves.evict(a));
    const evicted = (): number => machine.vm().gpuvm.evictedBos.length;
    expect(evicted()).toBe(1);
    failBind(machine, 1);
    expect(machine.bind(0, 2, b, 0).errno).toBe(Errno.ENOMEM);
    expect(evicted()).toBe(1);
    expect(machine.peek(1)).toBe(5);
    machine.finish(a, b);
  });

  it('over all of an object whose handle is closed does not lose the object', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(2), machine.bo(2)];
    machine.bind(0, 2, a, 0);
    machine.poke(1, 5);
    a.put();
    failBind(machine, 1);
    expect(machine.bind(0, 2, b, 0).errno).toBe(Errno.ENOMEM);
    expect(machine.peek(1)).toBe(5);
    expect(machine.bind(0, 2, b, 0).errno).toBe(Errno.OK);
    expect(machine.devices[0].gpu.vram.usedPages).toBe(2);
    machine.finish(b);
  });

  it.each([1, 2, 3])(
    'over pages of the process leaves them there, and they follow the process (request %i)',
    (which) => {
      const machine = new BindMachine();
      const bo = machine.bo(2);
      machine.run(machine.map(6));
      machine.run(machine.store(machine.cpus[0], BUFFER, 6, 100));
      machine.user(0, 6, BUFFER);
      // Both ends of what stays, and the object in between.
      failBind(machine, which);
      expect(machine.bind(2, 4, bo, 0)).toEqual({ errno: Errno.ENOMEM, ops: [] });
      expect(mappings(machine)).toEqual([`0-6 userptr ${BUFFER}`]);
      for (let page = 0; page < 6; page++) expect(machine.peek(page)).toBe(100 + page);
      machine.run(machine.unmap(BUFFER, 6));
      expect(machine.devices[0].gpu.pageTable.entries).toBe(0);
      expect(machine.peek(3)).toBe(Errno.EFAULT);
      machine.finish(bo);
    },
  );

  it('of pages of the process leaves no notifier behind', () => {
    const machine = new BindMachine();
    const { notifiers } = machine.coordinator.mm;
    machine.run(machine.map(4));
    const before = notifiers.intervals;
    failBind(machine, 1);
    expect(machine.user(0, 4, BUFFER)).toEqual({ errno: Errno.ENOMEM, ops: [] });
    expect(notifiers.intervals).toBe(before);
    expect(machine.coordinator.gpus[0].iommu.live).toBe(0);
    machine.finish();
  });
});
