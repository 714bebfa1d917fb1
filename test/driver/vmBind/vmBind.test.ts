/** VM_BIND: buffer objects and pages of the process at GPU addresses, beside mirrors, while the process's memory changes. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PAGE_WORDS, vpn } from '../../../src/base/units.js';
import { ProcessAttributes } from '../../../src/driver/attributes/processAttributes.js';
import type { GpuHandle } from '../../../src/driver/gpuHandle.js';
import { prefetchBound } from '../../../src/driver/vmBind/prefetchBound.js';
import { DmaProto } from '../../../src/memory/dmaAddr.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import type { Steps } from '../../../src/sim/steps.js';
import { actorId } from '../../../src/sim/task.js';
import { BUFFER, failed, rule } from '../../check/harness.js';
import { BASE, BindMachine, read, write } from './bindMachine.js';

const RW = Prot.Read | Prot.Write;

describe('a buffer object', () => {
  it('comes full of zeros, is filled and read by the CPU, and reached where it is bound', () => {
    const machine = new BindMachine();
    const bo = machine.bo(4);
    expect(bo.pfns.every((pfn) => machine.memory.words[pfn * PAGE_WORDS] === 0)).toBe(true);
    expect(machine.bind(0, 2, bo, 1).errno).toBe(Errno.OK);
    machine.fill(bo, 2, 1, 0xab);
    expect(machine.peek(1) >>> 0).toBe(0xabababab);
    machine.poke(0, 7);
    expect(machine.inBo(bo, 1)).toBe(7);
    machine.finish(bo);
  });

  it('bound over another one takes its addresses, and leaves what the other holds beside it', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(4), machine.bo(4)];
    machine.bind(0, 4, a, 0);
    for (let page = 0; page < 4; page++) machine.poke(page, 10 + page);
    const { ops } = machine.bind(1, 3, b, 1);
    expect(ops.map(({ op }) => op)).toEqual(['remap', 'map']);
    for (let page = 0; page < 4; page++) machine.poke(page, 20 + page);
    expect([0, 1, 2, 3].map((page) => machine.inBo(a, page))).toEqual([20, 11, 12, 23]);
    expect([0, 1, 2, 3].map((page) => machine.inBo(b, page))).toEqual([0, 21, 22, 0]);
    machine.finish(a, b);
  });

  it('is out of reach after an unbind, in the TLB too, and keeps its content', () => {
    const machine = new BindMachine();
    const bo = machine.bo(3);
    machine.bind(0, 3, bo, 0);
    machine.poke(1, 5);
    expect(machine.unbind(1, 2).errno).toBe(Errno.OK);
    expect(machine.poke(1, 6)).toBe(Errno.EFAULT);
    expect([machine.poke(0, 1), machine.poke(2, 3), machine.inBo(bo, 1)]).toEqual([0, 0, 5]);
    machine.finish(bo);
  });

  it('of another device is reached over the peer link', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2, 1);
    machine.bind(0, 2, bo, 0, 0);
    machine.poke(1, 9);
    expect(machine.inBo(bo, 1)).toBe(9);
    expect(machine.devices[0].gpu.mmu.counters.peerAccesses).toBeGreaterThan(0);
    const gpu = machine.coordinator.gpus[0];
    expect(bo.attachmentOf(gpu).length).toBe(2);
    machine.unbind(0, 1);
    expect(bo.attachmentOf(gpu).length).toBe(2);
    machine.unbind(1, 2);
    // With its last mapping the device loses its right to the memory.
    expect(bo.attachmentOf(gpu)).toEqual([]);
    expect(gpu.ledger.liveOf(DmaProto.Peer)).toBe(0);
    machine.bind(0, 2, bo, 0, 0);
    machine.run(machine.coordinator.vram.moves.evict(bo));
    expect(bo.attachmentOf(gpu)).toEqual([]);
    expect([machine.peek(1), bo.attachmentOf(gpu).length]).toEqual([9, 2]);
    machine.finish(bo);
  });

  it('of another device is refused where the two have no link', () => {
    const machine = new BindMachine({ interconnect: 'none' });
    const [own, other] = [machine.bo(2, 0), machine.bo(2, 1)];
    expect(machine.bind(0, 2, other, 0, 0)).toEqual({ errno: Errno.EOPNOTSUPP, ops: [] });
    expect([other.vmBos.size, other.refCount, machine.poke(0, 1)]).toEqual([0, 1, Errno.EFAULT]);
    expect([machine.bind(0, 2, own, 0, 0).errno, machine.poke(0, 1)]).toEqual([Errno.OK, Errno.OK]);
    machine.finish(own, other);
  });

  it('does not come back to a device that is unplugged meanwhile, and does not stay there', () => {
    const machine = new BindMachine();
    const { vram, gpuUnbind, gpus } = machine.coordinator;
    const bo = machine.bo(4);
    machine.bind(0, 4, bo, 0);
    machine.poke(1, 9);
    machine.run(vram.moves.evict(bo));
    const { port } = gpus[0];
    const right = port.copy.bind(port);
    let unplugged: Errno = Errno.EBUSY;
    const unbind = function* (): Steps<number> {
      unplugged = yield* gpuUnbind.unbind(gpus[0]);
      return unplugged;
    };
    // The copy back has begun when the driver lets go of the device.
    port.copy = function* (src, dst, npages) {
      port.copy = right;
      machine.sched.spawn(actorId(0), 'unbind', unbind());
      yield* machine.sched.sleep(1000);
      return yield* right(src, dst, npages);
    };
    machine.peek(1);
    expect([unplugged, bo.memory.isVram, machine.devices[0].gpu.vram.usedPages]).toEqual([0, false, 0]);
    expect(machine.inBo(bo, 1)).toBe(9);
    machine.finish(bo);
  });

  it('is left alone by who begins to use it while its device leaves', () => {
    const machine = new BindMachine();
    const [vm] = machine.coordinator.vms;
    const [gpu] = vm.gpus;
    const deviceVm = vm.deviceVm(gpu);
    const bo = machine.bo(4);
    machine.bind(0, 4, bo, 0);
    machine.run(machine.coordinator.vram.moves.evict(bo));
    const wait = function* <T>(ns: number, then: () => Steps<T>): Steps<T> {
      yield* machine.sched.sleep(ns);
      return yield* then();
    };
    const read = function* (): Steps<void> {
      yield* vm.vmLock.read();
      yield* machine.sched.sleep(1000);
      vm.vmLock.readUnlock();
    };
    machine.run<unknown>(
      read(),
      wait(10, () => vm.membership.leave(gpu)),
      wait(20, () => deviceVm.submit()),
    );
    expect([vm.membership.has(gpu), bo.memory.isVram, vm.vmLock.isLocked]).toEqual([false, false, false]);
    machine.finish(bo);
  });

  it('makes migrated pages go home when the device is full', () => {
    const machine = new BindMachine({ vramPages: 32 });
    machine.run(machine.map(32));
    machine.run(machine.store(machine.gpu(0), BUFFER, 32, 1));
    const bo = machine.bo(32);
    machine.bind(0, 32, bo, 0);
    expect(machine.poke(31, 4)).toBe(Errno.OK);
    machine.run(machine.load(machine.cpus[0], BUFFER, 32));
    machine.finish(bo);
  });

  it('is not bound beyond its end, nor outside the address space', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    expect(machine.bind(0, 2, bo, 1).errno).toBe(Errno.EINVAL);
    expect(machine.bind(0, 0, bo, 0).errno).toBe(Errno.EINVAL);
    expect(machine.bind(2 ** 35, 2 ** 35 + 1, bo, 0).errno).toBe(Errno.EINVAL);
    machine.finish(bo);
  });
});

describe('pages of the process', () => {
  it('bound elsewhere are the same memory', () => {
    const machine = new BindMachine();
    machine.run(machine.map(8));
    machine.run(machine.store(machine.cpus[0], BUFFER, 8, 100));
    expect(machine.user(2, 6, BUFFER + 1).errno).toBe(Errno.OK);
    expect(machine.peek(2)).toBe(101);
    machine.poke(5, 77);
    machine.stored.set(vpn(BUFFER + 4), 77);
    machine.run(machine.load(machine.cpus[0], BUFFER, 8));
    machine.finish();
  });

  it('that are replaced are unbound at once, and the next access finds the new ones', () => {
    const machine = new BindMachine();
    machine.run(machine.map(4));
    machine.run(machine.store(machine.cpus[0], BUFFER, 4, 100));
    machine.user(0, 4, BUFFER);
    machine.poke(0, 1);
    const { pageTable, tlb } = machine.devices[0].gpu;
    expect(pageTable.entries).toBe(4);
    machine.run(machine.cpus[0].mmap(BUFFER, 4, RW, MapFlag.Fixed));
    expect([pageTable.entries, tlb.lookup(vpn(BASE), false)]).toEqual([0, 0]);
    expect(machine.peek(0)).toBe(0);
    machine.poke(3, 8);
    expect(machine.run(read(machine.cpus[0], BUFFER + 3))).toEqual([8]);
    machine.finish();
  });

  it('split by an unbind follow the process in both halves', () => {
    const machine = new BindMachine();
    machine.run(machine.map(6));
    machine.user(0, 6, BUFFER);
    expect(machine.unbind(2, 4).ops.map(({ op }) => op)).toEqual(['remap']);
    machine.run(machine.cpus[0].mmap(BUFFER, 6, RW, MapFlag.Fixed));
    const errnos = [0, 2, 3, 5].map((page) => machine.poke(page, 40 + page));
    expect(errnos).toEqual([Errno.OK, Errno.EFAULT, Errno.EFAULT, Errno.OK]);
    const values = [0, 5].map((page) => machine.run(read(machine.cpus[0], BUFFER + page))[0]);
    expect(values).toEqual([40, 45]);
    machine.finish();
  });

  it('that are not mapped are refused, and nothing changes', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    machine.bind(0, 2, bo, 0);
    expect(machine.user(0, 2, BUFFER)).toEqual({ errno: Errno.EFAULT, ops: [] });
    machine.poke(0, 3);
    expect(machine.inBo(bo, 0)).toBe(3);
    machine.finish(bo);
  });

  it('that the process unmaps make the next access fail', () => {
    const machine = new BindMachine();
    machine.run(machine.map(2));
    machine.user(0, 2, BUFFER);
    machine.run(machine.unmap(BUFFER, 2));
    expect(machine.poke(0, 3)).toBe(Errno.EFAULT);
    machine.finish();
  });

  it.each([1, 2, 3, 4])(
    'take every access to the memory of the moment while they are replaced (seed %i)',
    (seed) => {
      const machine = new BindMachine({ seed });
      machine.run(machine.map(4));
      machine.user(0, 4, BUFFER);
      const gpu = machine.gpu(0);
      const storing = function* (): Steps<void> {
        for (let i = 0; i < 40; i++) {
          const errno = yield* write(gpu, BASE + (i % 4), i);
          expect([Errno.OK, Errno.EFAULT]).toContain(errno);
        }
      };
      const replacing = function* (): Steps<void> {
        for (let i = 0; i < 6; i++) yield* machine.cpus[0].mmap(BUFFER, 4, RW, MapFlag.Fixed);
      };
      machine.run<void>(storing(), replacing());
      machine.poke(2, 99);
      expect(machine.run(read(machine.cpus[0], BUFFER + 2))).toEqual([99]);
      machine.finish();
    },
  );
});

describe('a prefetch', () => {
  it('of an object ends with -EINVAL where it cannot go: to RAM from its own device, or to the memory of another', () => {
    const machine = new BindMachine();
    const { coordinator } = machine;
    const [gpu, other] = coordinator.gpus;
    const svm = coordinator.vmOf(gpu);
    const bo = machine.bo(4);
    for (const device of [0, 1]) machine.bind(0, 4, bo, 0, device);
    const span = { start: BASE, end: BASE + 4 };
    const prefetched = (device: GpuHandle, toRam: boolean): Errno =>
      machine.run(prefetchBound(svm, device, span, toRam))[0];
    expect([prefetched(gpu, false), prefetched(gpu, true)]).toEqual([Errno.OK, Errno.EINVAL]);
    expect([prefetched(other, false), prefetched(other, true)]).toEqual([Errno.EINVAL, Errno.OK]);
    machine.run(coordinator.vram.moves.evict(bo));
    expect(bo.pieces.length).toBe(0);
    expect(prefetched(gpu, true)).toBe(Errno.OK);
    expect(bo.pieces.length).toBe(0);
    expect(prefetched(gpu, false)).toBe(Errno.OK);
    expect(bo.pieces.length).toBe(1);
    machine.finish(bo);
  });
});

describe('a mirror', () => {
  it('may not be unbound or bound over while it holds ranges, and may be where it holds none', () => {
    const machine = new BindMachine();
    const bo = machine.bo(16);
    machine.run(machine.map(64, vpn(BASE)));
    machine.poke(0, 1);
    expect(machine.unbind(0, 1).errno).toBe(Errno.EBUSY);
    expect(machine.bind(8, 24, bo, 0).errno).toBe(Errno.EBUSY);
    expect(machine.bind(16, 32, bo, 0).errno).toBe(Errno.OK);
    expect([machine.poke(16, 5), machine.inBo(bo, 0)]).toEqual([0, 5]);
    machine.run(machine.cpus[0].munmap(vpn(BASE), 16));
    expect(machine.unbind(0, 16).errno).toBe(Errno.OK);
    machine.finish(bo);
  });

  it('is refused a userptr for the ranges that it holds before anybody looks at the pages', () => {
    const machine = new BindMachine();
    machine.run(machine.map(16, vpn(BASE)));
    machine.poke(0, 1);
    const nowhere = BASE + 4096;
    expect([machine.user(0, 4, nowhere).errno, machine.user(64, 68, nowhere).errno]).toEqual([
      Errno.EBUSY,
      Errno.EFAULT,
    ]);
    expect([machine.poke(1, 2), machine.peek(1)]).toEqual([Errno.OK, 2]);
    machine.finish();
  });

  it('bound over mirrors takes them with their ranges, unless it would split what was said of pages in use', () => {
    const machine = new BindMachine();
    const vm = machine.vm();
    const svm = machine.coordinator.vmOf(machine.coordinator.gpus[0]);
    const attributes = new ProcessAttributes(svm.mm, 2);
    svm.attributes = attributes;
    const said = attributes.mirrors[0];
    const mirror = (start: number, end: number): Errno =>
      machine.run(vm.bindMirror({ start: BASE + start, end: BASE + end }))[0].errno;
    machine.run(machine.map(64, vpn(BASE)));
    machine.poke(20, 1);
    const ranges = (): number => svm.gpusvm.ranges.size;
    expect([mirror(0, 32), ranges(), vm.vas().length]).toEqual([Errno.OK, 1, 1]);
    said.setPreferred(vpn(BASE + 16), vpn(BASE + 48), 1, false);
    expect([mirror(0, 32), mirror(32, 64), mirror(16, 48)]).toEqual([Errno.EBUSY, Errno.OK, Errno.OK]);
    expect(said.map.size).toBe(0);
    expect([machine.poke(21, 2), machine.peek(21), vm.vas().length]).toEqual([Errno.OK, 2, 1]);
    expect([mirror(8, 8), mirror(9, 8)]).toEqual([Errno.EINVAL, Errno.EINVAL]);
    machine.finish();
  });

  it('loses what was said of it where an object is bound, and nowhere else', () => {
    const machine = new BindMachine();
    const bo = machine.bo(16);
    const svm = machine.coordinator.vmOf(machine.coordinator.gpus[0]);
    const attributes = new ProcessAttributes(svm.mm, 2);
    svm.attributes = attributes;
    const { map } = attributes.mirrors[0];
    attributes.mirrors[0].setPreferred(vpn(BASE), vpn(BASE + 64), 1, false);
    expect(machine.bind(16, 32, bo, 0).errno).toBe(Errno.OK);
    expect([...map].map(({ start, end }) => [start - BASE, end - BASE])).toEqual([
      [0, 16],
      [32, 64],
    ]);
    machine.finish(bo);
  });

  it('comes back where an object was bound', () => {
    const machine = new BindMachine();
    const bo = machine.bo(16);
    machine.run(machine.map(32, vpn(BASE)));
    machine.run(machine.store(machine.cpus[0], vpn(BASE), 32, 1));
    machine.bind(0, 16, bo, 0);
    machine.poke(3, 9);
    const [{ errno }] = machine.run(machine.vm().bindMirror({ start: BASE, end: BASE + 16 }));
    expect(errno).toBe(Errno.OK);
    expect([machine.peek(3), machine.inBo(bo, 3)]).toEqual([4, 9]);
    machine.finish(bo);
  });

  it('shared by two devices has no range across what one of them has bound', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    machine.run(machine.map(16, vpn(BASE)));
    machine.run(machine.store(machine.cpus[0], vpn(BASE), 16, 1));
    expect(machine.peek(5, 1)).toBe(6);
    expect(machine.bind(4, 6, bo, 0, 0).errno).toBe(Errno.OK);
    machine.poke(5, 70, 0);
    const values = [machine.peek(5, 1), machine.peek(3, 0), machine.peek(6, 0), machine.peek(5, 0)];
    expect(values).toEqual([6, 4, 7, 70]);
    machine.finish(bo);
  });
});

describe('the rules of GPU mappings', () => {
  it('see entries that nobody bound, missing ones, those that lead elsewhere, and lost links', () => {
    const machine = new BindMachine();
    const [a, b] = [machine.bo(2), machine.bo(2)];
    machine.bind(0, 2, a, 0);
    const broken = (): string[] => failed(machine.verify()).filter((name) => /^(E|G|R6)/.test(name));
    expect(broken()).toEqual([]);
    const va = machine.vm().vaAt(BASE);
    if (va === null) throw new Error('nothing is bound');
    Object.defineProperty(a, 'refCount', { value: 0, configurable: true });
    expect(broken()).toEqual(['G4', 'R6']);
    Reflect.deleteProperty(a, 'refCount');
    va.bound = false;
    expect(broken()).toEqual(['E2']);
    va.bound = true;
    a.pfns[1] = b.pfns[0];
    expect(broken()).toEqual(['E2']);
    va.vmBo?.vas.clear();
    expect(broken()).toEqual(['E2', 'R6']);
    machine.vm().gpuvm.remove(va);
    expect(rule(machine.verify(), 'E2').detail).toContain('where nothing is bound');
  });

  it('see objects that a submission would forget to lock or to bring back, and those that are gone', () => {
    const machine = new BindMachine();
    const bo = machine.bo(2);
    machine.bind(0, 2, bo, 0);
    const { gpuvm } = machine.vm();
    const broken = (): string[] => failed(machine.verify()).filter((name) => /^(E|G)/.test(name));
    const [vmBo] = gpuvm.allBos;
    expect(broken()).toEqual([]);
    gpuvm.external.delete(vmBo);
    expect(broken()).toEqual(['G3']);
    gpuvm.external.add(vmBo);
    vmBo.evicted = true;
    expect(broken()).toEqual(['G3']);
    gpuvm.evicted.add(vmBo);
    expect(broken()).toEqual([]);
    gpuvm.deferCleanup(vmBo);
    expect(broken()).toEqual(['G7']);
  });

  it('see mappings that overlap, are empty, or lie beyond the address space', () => {
    const machine = new BindMachine();
    const bo = machine.bo(4);
    machine.bind(0, 2, bo, 0);
    machine.bind(2, 4, bo, 2);
    const outOfOrder = (): boolean => failed(machine.verify()).includes('G1');
    expect(outOfOrder()).toBe(false);
    const [first, second] = [machine.vm().vaAt(BASE), machine.vm().vaAt(BASE + 2)];
    if (first === null || second === null) throw new Error('nothing is bound');
    for (const [va, end] of [
      [first, BASE + 3],
      [first, BASE],
      [second, 2 ** 36],
    ] as const) {
      const right = va.end;
      Object.defineProperty(va, 'end', { value: end, configurable: true });
      expect(outOfOrder(), `end at ${end}`).toBe(true);
      Object.defineProperty(va, 'end', { value: right });
      expect(outOfOrder()).toBe(false);
    }
    machine.finish(bo);
  });

  it('see a page of the process that is not the one behind the entry', () => {
    const machine = new BindMachine();
    machine.run(machine.map(2));
    machine.user(0, 2, BUFFER);
    machine.setPte(BUFFER, machine.pte(vpn(BUFFER + 1)));
    const names = failed(machine.verify());
    expect(names).toContain('E2');
    expect(names).toContain('D6');
  });
});
