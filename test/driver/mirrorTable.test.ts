/** Several processes on the same devices: the same addresses, other memory, and ends that do not touch the others. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import type { GpuContext } from '../../src/device/gpuContext.js';
import { SPACES_MAX, spaceId } from '../../src/device/gpuSpace.js';
import type { SvmVm } from '../../src/driver/svmVm.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import type { Mm } from '../../src/mm/process/mm.js';
import type { Steps } from '../../src/sim/steps.js';
import { load, System, store } from './harness.js';

const AREA = 0x1000;

let system: System;
let second: Mm;

/** The second process has its own thread, and memory at the same addresses as the first one. */
function twoProcesses(layout: 'n1' | 'one-to-one'): void {
  system = new System({ layout, cpuThreads: 2, gpuTables: 32 });
  second = system.coordinator.processes.create();
  system.coordinator.mirrors.open(second);
  expect(system.run(system.cpus[1].enterProcess(second.id))).toBe(Errno.OK);
  for (const cpu of system.cpus) {
    system.run(cpu.mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed));
  }
}

/** A context of a device in a process's address space. */
function context(device: number, process: number): GpuContext {
  return system.devices[device].gpu.createContext(0, 1, spaceId(process));
}

describe.each(['n1', 'one-to-one'] as const)('two processes, layout %s', (layout) => {
  beforeEach(() => {
    twoProcesses(layout);
  });

  it('see each their own memory through the same device at the same address', () => {
    for (const process of [0, 1]) {
      expect(system.run(store(context(0, process), AREA, 100 + process))).toBe(Errno.OK);
    }
    expect([0, 1].map((process) => system.run(load(context(1, process), AREA)))).toEqual([100, 101]);
    expect(system.cpus.map((cpu) => system.run(load(cpu, AREA)))).toEqual([100, 101]);
  });

  it('lose only their own translations when they unmap', () => {
    for (const process of [0, 1]) system.run(store(context(0, process), AREA, 100 + process));
    system.run(system.cpus[1].munmap(vpn(AREA), 16));
    expect(system.run(load(context(0, 1), AREA))).toBe(Errno.EFAULT);
    expect(system.gpuPte(0, AREA)).not.toBe(0);
    expect(system.run(load(context(0, 0), AREA))).toBe(100);
  });

  it('are still mirrored when more have been than there are address spaces of a device', () => {
    const { processes, mirrors } = system.coordinator;
    while (processes.reserve() < SPACES_MAX + 1);
    const late = processes.create();
    system.run(mirrors.close(late));
    mirrors.open(late);
    expect([system.coordinator.mm, second, late].map((mm) => mirrors.spaceOf(mm))).toEqual([0, 1, 2]);
    system.run(mirrors.close(late));
    expect(mirrors.spaceOf(late)).toBeNull();
    expect(mirrors.hasSpace(spaceId(2))).toBe(false);
  });

  it('end one by one: the device serves the other one on', () => {
    for (const process of [0, 1]) system.run(store(context(0, process), AREA, 100 + process));
    system.run(system.coordinator.mirrors.close(second));
    expect(system.run(load(context(0, 1), AREA))).toBe(Errno.ENOENT);
    expect(system.run(load(context(0, 0), AREA))).toBe(100);
    expect(system.coordinator.mirrors.of(second)).toEqual([]);
    expect(system.run(load(system.cpus[1], AREA))).toBe(101);
    system.run(system.coordinator.tearDown());
    expect(system.devices.map(({ gpu }) => gpu.pageTable.entries)).toEqual([0, 0]);
    expect(system.devices.map(({ gpu }) => gpu.vram.usedPages)).toEqual([0, 0]);
  });

  it.each([1, 2, 3])('take turns in a device memory too small for both (seed %i)', (seed) => {
    system = new System({ layout, cpuThreads: 2, gpuTables: 32, vramPages: 16, seed });
    second = system.coordinator.processes.create();
    system.coordinator.mirrors.open(second);
    system.run(system.cpus[1].enterProcess(second.id));
    for (const cpu of system.cpus) {
      system.run(cpu.mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed));
    }
    const work = function* (process: number): Steps<void> {
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 16; i += 5) {
          yield* store(context(0, process), AREA + i, 1000 * process + 16 * round + i);
        }
      }
    };
    system.runAll([work(0), work(1)]);
    for (const process of [0, 1]) {
      expect(system.run(load(system.cpus[process], AREA + 5))).toBe(1000 * process + 48 + 5);
    }
    system.run(system.coordinator.tearDown());
  });
});

it('a process that no device mirrors cannot be reached', () => {
  twoProcesses('n1');
  const third = system.coordinator.processes.create();
  expect(system.run(load(context(0, third.id - 1), AREA))).toBe(Errno.ENOENT);
});

it.each([1, 2, 3, 4, 5, 6])(
  'a device of its own that joins while it leaves has its old mirror closed first (seed %i)',
  (seed) => {
    system = new System({ layout: 'one-to-one', gpuTables: 32, seed });
    const { mirrors, mm, gpus } = system.coordinator;
    const [gpu] = gpus;
    system.run(system.cpus[0].mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed));
    expect(system.run(store(context(0, 0), AREA, 7))).toBe(Errno.OK);
    const old = mirrors.memberVm(mm, gpu);
    const wasClosed: boolean[] = [];
    const joining = function* (): Steps<void> {
      // As long as the device is a member it cannot join.
      while ((yield* mirrors.join(mm, gpu)) !== Errno.OK) yield* system.executor.sleep(1);
      wasClosed.push(old?.closed === true);
    };
    const leaving = function* (): Steps<void> {
      expect(yield* mirrors.leave(mm, gpu)).toBe(Errno.OK);
    };
    system.runAll([leaving(), joining()]);
    expect(wasClosed).toEqual([true]);
    expect(mirrors.of(mm).filter(({ gpus: of }) => of.includes(gpu))).toHaveLength(1);
    expect(system.run(load(context(0, 0), AREA))).toBe(7);
  },
);

describe('a mirror that somebody ends', () => {
  const SLOW_NS = 1_000;

  /** The first device's mirror of the process takes its time to unmap everything. */
  function slowMirror(): SvmVm {
    const [vm] = system.coordinator.mirrors.of(system.coordinator.mm);
    const right = vm.unmapEverything.bind(vm);
    vm.unmapEverything = function* () {
      yield* system.executor.sleep(SLOW_NS);
      yield* right();
    };
    return vm;
  }

  /** Half-way through the other's end. */
  function* meanwhile(vm: SvmVm, end: () => Steps<void>): Steps<boolean> {
    yield* system.executor.sleep(SLOW_NS / 2);
    expect([vm.closed, vm.finished]).toEqual([true, false]);
    yield* end();
    return vm.finished;
  }

  function* done(steps: Steps<unknown>): Steps<boolean> {
    yield* steps;
    return true;
  }

  it('because its device leaves is waited for by the end of the process, which gives the number back', () => {
    system = new System({ layout: 'one-to-one' });
    const { mirrors, mm, gpus } = system.coordinator;
    const vm = slowMirror();
    const close = meanwhile(vm, () => mirrors.close(mm));
    expect(system.runAll([done(mirrors.leave(mm, gpus[0])), close])).toEqual([true, true]);
    expect([mirrors.spaceOf(mm), mirrors.vms]).toEqual([null, []]);
    system.tearDown();
  });

  it('is not ended again by the end of all, but waited for', () => {
    system = new System();
    const { mirrors, mm } = system.coordinator;
    const vm = slowMirror();
    const all = meanwhile(vm, () => mirrors.closeAll());
    expect(system.runAll([done(mirrors.close(mm)), all])).toEqual([true, true]);
    system.tearDown();
  });
});
