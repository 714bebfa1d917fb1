/** Migrated pages and buffer objects that share too little device memory: against a naive model nothing is lost, neither content nor accounting. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { VramBo } from '../../../src/driver/vmBind/vramBo.js';
import type { VramResident } from '../../../src/driver/vram/vramLru.js';
import type { AccessPort } from '../../../src/memory/accessPort.js';
import type { Steps } from '../../../src/sim/steps.js';
import { BUFFER } from '../../check/harness.js';
import { BASE, BindMachine, read, write } from '../vmBind/bindMachine.js';

const BO_PAGES = 8;
const PAGES = 48;

/** Two objects and three ranges want 64 pages of a device that has 32. */
class PressedMachine extends BindMachine {
  readonly bos: VramBo[];
  /** The last value stored, by GPU page. */
  readonly model = new Map<number, number>();

  constructor(seed = 1, boCount = 2) {
    super({ seed, vramPages: 32, chunkPages: [16, 1] });
    this.bos = Array.from({ length: boCount }, () => this.bo(BO_PAGES));
    this.run(this.map(PAGES));
    this.bos.forEach((bo, i) => {
      for (const device of [0, 1]) {
        const result = this.bind(i * BO_PAGES, (i + 1) * BO_PAGES, bo, 0, device);
        expect(result.errno).toBe(Errno.OK);
      }
    });
  }

  boPage(bo: number, page: number): number {
    return BASE + bo * BO_PAGES + page;
  }

  /** Stores and remembers; two programs never store to the same page at once. */
  *put(port: AccessPort, page: number, value: number): Steps<void> {
    expect(yield* write(port, page, value)).toBe(Errno.OK);
    this.model.set(page, value);
  }

  /** What the device has is what the driver's residents take, and each is in its list once. */
  checkAccounts(): void {
    for (const gpu of this.coordinator.gpus) {
      const residents: VramResident[] = [
        ...gpu.allocations,
        ...[...gpu.bos].filter((bo) => bo.memory.isVram),
      ];
      expect(new Set(gpu.lru)).toEqual(new Set(residents));
      const pages = residents.reduce((sum, { npages }) => sum + npages, 0);
      expect(this.devices[gpu.index].gpu.vram.usedPages).toBe(pages);
    }
  }

  checkContent(): void {
    for (const [page, value] of this.model) {
      const port = page < BUFFER ? this.gpu(0) : this.cpus[0];
      expect([page, this.run(read(port, page))[0]]).toEqual([page, value]);
    }
  }
}

function names(machine: PressedMachine): string[] {
  return [...machine.coordinator.gpus[0].lru].map((resident) => {
    return resident instanceof VramBo ? `bo${machine.bos.indexOf(resident)}` : 'range';
  });
}

describe('what makes room', () => {
  it('is what was not used for longest, be it an object or migrated pages', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), BUFFER, 1));
    expect(names(machine)).toEqual(['bo0', 'bo1', 'range']);
    // Full now; the next range needs the two objects' pages.
    machine.run(machine.put(machine.gpu(0), BUFFER + 16, 2));
    expect(names(machine)).toEqual(['range', 'range']);
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([false, false]);
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(2);
    machine.checkAccounts();
    // An object that is used comes back, and the range that came first goes.
    machine.run(machine.put(machine.gpu(1), machine.boPage(0, 3), 7));
    expect(names(machine)).toEqual(['range', 'bo0']);
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(1);
    machine.checkAccounts();
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('is not what a kernel that begins may use', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), BUFFER, 1));
    machine.run(machine.vm(0).submit());
    expect(names(machine)).toEqual(['range', 'bo0', 'bo1']);
    machine.run(machine.put(machine.gpu(0), BUFFER + 16, 2));
    expect(names(machine)).toEqual(['bo0', 'bo1', 'range']);
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('is not an object that somebody has locked', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), BUFFER, 1));
    const hold = function* (): Steps<void> {
      yield* machine.bos[0].resv.lock();
      yield* machine.put(machine.gpu(0), BUFFER + 16, 2);
      machine.bos[0].resv.unlock();
    };
    machine.run(hold());
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([true, false]);
    expect(names(machine)).toEqual(['bo0', 'range']);
    machine.checkContent();
    machine.finish(...machine.bos);
  });
});

describe('an object in RAM', () => {
  it('keeps what devices and the CPU stored, there and back', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), machine.boPage(0, 2), 11));
    machine.run(machine.put(machine.gpu(1), machine.boPage(1, 5), 22));
    for (const start of [0, 16]) machine.run(machine.put(machine.gpu(0), BUFFER + start, 3));
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([false, false]);
    expect([machine.inBo(machine.bos[0], 2), machine.inBo(machine.bos[1], 5)]).toEqual([11, 22]);
    machine.fill(machine.bos[0], 3, 1, 0xab);
    expect(machine.peek(3)).toBe(0xabababab | 0);
    expect(machine.bos[0].memory.isVram).toBe(true);
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('got there after all devices had lost it: what they store while it is copied is not lost', () => {
    const machine = new PressedMachine();
    const [bo] = machine.bos;
    const page = vpn(machine.boPage(0, 2));
    for (const device of [0, 1]) machine.run(machine.put(machine.gpu(device), page, 11 + device));
    const { port } = machine.coordinator.gpus[0];
    const copy = port.copy.bind(port);
    const reached: number[] = [];
    port.copy = function* (...args) {
      const errno = yield* copy(...args);
      if (bo.evicting) for (const device of [0, 1]) reached.push(machine.gpu(device).tryPage(page, true));
      return errno;
    };
    for (const start of [0, 16]) machine.run(machine.put(machine.gpu(0), BUFFER + start, 3));
    expect([bo.memory.isVram, reached]).toEqual([false, [-1, -1]]);
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('is none where the copy there failed: it stays, and devices get it again without a move', () => {
    const machine = new PressedMachine();
    const [bo] = machine.bos;
    machine.run(machine.put(machine.gpu(1), machine.boPage(0, 2), 11));
    const { port } = machine.coordinator.gpus[0];
    const copy = port.copy.bind(port);
    port.copy = function* (...args) {
      return bo.evicting ? Errno.EIO : yield* copy(...args);
    };
    for (const start of [0, 16]) machine.run(machine.put(machine.gpu(0), BUFFER + start, 3));
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([true, false]);
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(1);
    port.copy = copy;
    machine.checkAccounts();
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('goes without a way back when its last user lets go', () => {
    const machine = new PressedMachine();
    for (const start of [0, 16]) machine.run(machine.put(machine.gpu(0), BUFFER + start, 3));
    for (const device of [0, 1]) machine.unbind(0, 2 * BO_PAGES, device);
    const { ram } = machine.coordinator.kernel;
    const used = ram.usedPages;
    for (const bo of machine.bos.splice(0)) bo.put();
    machine.settle();
    expect(ram.usedPages).toBe(used - 2 * BO_PAGES);
    machine.checkAccounts();
    machine.finish();
  });

  it('stays evicted, and its access fails, while nothing makes room', () => {
    const machine = new PressedMachine();
    for (const start of [0, 16]) machine.run(machine.put(machine.gpu(0), BUFFER + start, 3));
    machine.devices[0].gpu.vram.shouldFail = () => true;
    expect(machine.peek(0)).toBe(Errno.ENOMEM);
    machine.devices[0].gpu.vram.shouldFail = null;
    expect(machine.peek(0)).toBe(0);
    machine.checkAccounts();
    machine.finish(...machine.bos);
  });
});

describe('a kernel that begins', () => {
  it('finds evicted objects in their memory again, and mapped', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), machine.boPage(0, 3), 7));
    for (const bo of machine.bos)
      expect(machine.run(machine.coordinator.vram.moves.evict(bo))[0]).toBe(Errno.OK);
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(2);
    machine.run(machine.vm(0).submit());
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([true, true]);
    expect(machine.vm(0).gpuvm.evictedBos).toEqual([]);
    const { raised } = machine.devices[0].gpu.faults.counters;
    expect(machine.peek(3)).toBe(7);
    expect(machine.peek(BO_PAGES)).toBe(0);
    expect(machine.devices[0].gpu.faults.counters.raised).toBe(raised);
    machine.checkAccounts();
    machine.checkContent();
    machine.finish(...machine.bos);
  });

  it('begins without those for which there is no room, and its faults bring them', () => {
    const machine = new PressedMachine();
    for (const bo of machine.bos) machine.run(machine.coordinator.vram.moves.evict(bo));
    machine.devices[0].gpu.vram.shouldFail = () => true;
    machine.run(machine.vm(0).submit());
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(2);
    machine.devices[0].gpu.vram.shouldFail = null;
    expect(machine.peek(3)).toBe(0);
    expect(machine.vm(0).gpuvm.evictedBos).toHaveLength(1);
    machine.checkAccounts();
    machine.finish(...machine.bos);
  });

  it('does not get in the way of evictions and faults that go on beside it', () => {
    const machine = new PressedMachine();
    machine.run(machine.put(machine.gpu(0), machine.boPage(1, 2), 5));
    for (const bo of machine.bos) machine.run(machine.coordinator.vram.moves.evict(bo));
    const [a, b] = machine.bos;
    const evict = function* (): Steps<void> {
      yield* machine.coordinator.vram.moves.evict(a);
    };
    machine.run(
      machine.vm(0).submit(),
      machine.vm(1).submit(),
      machine.put(machine.gpu(0), machine.boPage(0, 1), 9),
      machine.put(machine.gpu(1), BUFFER + 16, 4),
      evict(),
    );
    expect([machine.inBo(a, 1), machine.inBo(b, 2)]).toEqual([9, 5]);
    machine.checkContent();
    machine.finish(...machine.bos);
  });
});

describe('a device that is unbound', () => {
  it('gives its objects back with their content, waits for one in use, and brings none back', () => {
    const machine = new PressedMachine();
    const { gpuUnbind, gpus } = machine.coordinator;
    const [bo] = machine.bos;
    machine.run(machine.put(machine.gpu(1), machine.boPage(0, 3), 7));
    const inUse = function* (): Steps<void> {
      yield* bo.resv.lock();
      yield* machine.coordinator.kernel.sched.sleep(1_000_000);
      expect(bo.memory.isVram).toBe(true);
      bo.resv.unlock();
    };
    const unbind = function* (): Steps<void> {
      // Time passes only when nobody can go on, so the object is in use by then.
      yield* machine.coordinator.kernel.sched.sleep(1000);
      expect(yield* gpuUnbind.unbind(gpus[0])).toBe(Errno.OK);
    };
    machine.run(inUse(), unbind());
    expect(machine.bos.map(({ memory }) => memory.isVram)).toEqual([false, false]);
    expect([gpus[0].lru.size, machine.devices[0].gpu.vram.usedPages]).toEqual([0, 0]);
    expect(machine.inBo(bo, 3)).toBe(7);
    expect(machine.peek(3, 1)).toBe(Errno.ENODEV);
    machine.finish(...machine.bos);
  });
});

type Access = { readonly who: 'cpu' | 'gpu0' | 'gpu1'; readonly page: number };
const access: fc.Arbitrary<Access> = fc.record({
  who: fc.constantFrom('cpu' as const, 'gpu0' as const, 'gpu1' as const),
  page: fc.nat(PAGES - 1),
});
const boAccess = fc.record({ bo: fc.nat(2), page: fc.nat(BO_PAGES - 1), device: fc.nat(1) });

describe('random work', () => {
  it('loses no store and no page', () => {
    const round = fc.record({
      accesses: fc.array(access, { maxLength: 3 }),
      objects: fc.array(boAccess, { maxLength: 2 }),
      evictBo: fc.boolean(),
      newObject: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.nat(1000), fc.array(round, { minLength: 3, maxLength: 8 }), (seed, rounds) => {
        const machine = new PressedMachine(seed, 3);
        let value = 1;
        for (const { accesses, objects, evictBo, newObject } of rounds) {
          const programs: Steps<void>[] = [];
          const pages = new Set<number>();
          const add = (port: AccessPort, page: number): void => {
            if (!pages.has(page)) programs.push(machine.put(port, page, value++));
            pages.add(page);
          };
          for (const { who, page } of accesses) {
            add(who === 'cpu' ? machine.cpus[0] : machine.gpu(Number(who[3])), vpn(BUFFER + page));
          }
          for (const { bo, page, device } of objects) add(machine.gpu(device), machine.boPage(bo, page));
          if (evictBo) programs.push(evict(machine, machine.bos[1]));
          machine.run(...programs);
          if (newObject) machine.bo(4, 0).put();
          machine.settle();
          machine.checkAccounts();
        }
        machine.checkContent();
        machine.finish(...machine.bos);
      }),
      { numRuns: 25, seed: 20250601 },
    );
  });
});

function* evict(machine: PressedMachine, bo: VramBo): Steps<void> {
  const errno = yield* machine.coordinator.vram.moves.evict(bo);
  expect([Errno.OK, Errno.EBUSY]).toContain(errno);
}
