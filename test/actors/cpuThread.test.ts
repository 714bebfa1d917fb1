/** A CPU thread: loads and stores through its own TLB and page walk, system calls as messages, and pauses. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { Prot } from '../../src/mm/area/mmap.js';
import { PteBit, pteHas } from '../../src/mm/table/pte.js';
import type { Steps } from '../../src/sim/steps.js';
import { increment, load, System, store } from '../driver/harness.js';

const AREA = 0x1000;

function mapped(cpuThreads = 1, seed = 1): System {
  const system = new System({ cpuThreads, seed });
  system.map(AREA, 16);
  return system;
}

describe('an access', () => {
  it('faults once, and then goes through the TLB', () => {
    const system = mapped();
    const [cpu] = system.cpus;
    for (let i = 0; i < 5; i++) expect(system.run(store(cpu, AREA, i + 1))).toBe(Errno.OK);
    expect(system.run(load(cpu, AREA))).toBe(5);
    expect([cpu.faults, cpu.accesses]).toEqual([1, 6]);
  });

  it('marks the entry young, and dirty only when it stores', () => {
    const system = mapped();
    const [cpu] = system.cpus;
    system.run(store(cpu, AREA, 1));
    const { pageTable } = system.coordinator.mm;
    pageTable.write(pageTable.slot(AREA), system.pte(AREA) & ~(PteBit.Young | PteBit.Dirty));
    system.coordinator.kernel.flushCpuTlbs();
    system.run(load(cpu, AREA));
    expect([pteHas(system.pte(AREA), PteBit.Young), pteHas(system.pte(AREA), PteBit.Dirty)]).toEqual([
      true,
      false,
    ]);
    // The load's translation does not do for a store, or the entry would stay clean.
    system.run(store(cpu, AREA, 2));
    expect(pteHas(system.pte(AREA), PteBit.Dirty)).toBe(true);
    expect(cpu.faults).toBe(1);
  });

  it('that is illegal ends with an errno', () => {
    const system = mapped();
    const [cpu] = system.cpus;
    expect(system.run(cpu.mprotect(vpn(AREA), 1, Prot.Read))).toBe(Errno.OK);
    expect(system.run(store(cpu, AREA, 1))).toBe(Errno.EFAULT);
    expect(system.run(load(cpu, AREA))).toBe(0);
    expect(system.run(load(cpu, AREA + 16))).toBe(Errno.EFAULT);
  });

  it('uses no translation that was taken away, whoever took it', () => {
    const system = mapped(2);
    const [one, two] = system.cpus;
    system.run(store(one, AREA, 5));
    system.run(load(two, AREA));
    expect(system.run(two.madvise(vpn(AREA), 1, 0))).toBe(Errno.OK);
    expect([system.run(load(one, AREA)), system.run(load(two, AREA))]).toEqual([0, 0]);
    system.checkAtRest();
  });

  it.each([1, 2, 3])('of several threads loses no increment while pages come and go (seed %i)', (seed) => {
    const system = mapped(3, seed);
    const add = function* (cpu: number): Steps<void> {
      for (let i = 0; i < 32; i++)
        expect(yield* increment(system.cpus[cpu], AREA + (i % 4), 0)).toBe(Errno.OK);
    };
    const disturb = function* (): Steps<void> {
      for (let i = 0; i < 6; i++) {
        yield* load(system.context(0), AREA);
        yield* system.cpus[0].mprotect(vpn(AREA), 2, Prot.Read);
        yield* system.cpus[0].mprotect(vpn(AREA), 2, Prot.Read | Prot.Write);
      }
    };
    const retrying = function* (cpu: number): Steps<void> {
      for (let done = 0; done < 32; ) {
        const errno = yield* increment(system.cpus[cpu], AREA + (done % 4), 1);
        // The area is read-only at times.
        if (errno === Errno.OK) done++;
        else expect(errno).toBe(Errno.EFAULT);
      }
    };
    system.runAll([retrying(0), retrying(1), retrying(2), disturb()]);
    expect([0, 1, 2, 3].map((i) => system.run(load(system.cpus[0], AREA + i, 1)))).toEqual([24, 24, 24, 24]);
    system.runAll([add(0), add(1), add(2)]);
    expect([0, 1, 2, 3].map((i) => system.run(load(system.cpus[0], AREA + i)))).toEqual([24, 24, 24, 24]);
    system.checkAtRest();
  });
});

describe('parallel operations', () => {
  it('give their results in the order given, whoever ends first', () => {
    const system = mapped();
    const [cpu] = system.cpus;
    const late = function* (ns: number, errno: Errno): Steps<Errno> {
      yield* cpu.sleep(ns);
      return errno;
    };
    const body = function* (): Steps<readonly Errno[]> {
      cpu.gate.join();
      const results = yield* cpu.parallel([
        late(300, Errno.EBUSY),
        late(100, Errno.OK),
        late(200, Errno.EIO),
      ]);
      cpu.gate.leave();
      return results;
    };
    expect(system.run(body())).toEqual([Errno.EBUSY, Errno.OK, Errno.EIO]);
    expect(cpu.now()).toBe(300);
  });

  it('are done at once when there are none', () => {
    const system = mapped();
    const body = function* (): Steps<readonly Errno[]> {
      system.cpus[0].gate.join();
      return yield* system.cpus[0].parallel([]);
    };
    expect(system.run(body())).toEqual([]);
  });

  it('let the thread be paused between operations', () => {
    const system = mapped();
    const [cpu] = system.cpus;
    let parked = 0;
    const operation = function* (): Steps<Errno> {
      for (let i = 0; i < 5; i++) {
        yield* cpu.gate.pass();
        yield* cpu.sleep(100);
      }
      return Errno.OK;
    };
    const body = function* (): Steps<void> {
      cpu.gate.join();
      yield* cpu.parallel([operation(), operation()]);
      cpu.gate.leave();
    };
    const pause = function* (): Steps<void> {
      yield* cpu.sleep(150);
      cpu.gate.close(() => {
        parked = cpu.now();
      });
      yield* cpu.sleep(1000);
      cpu.gate.open();
    };
    system.runAll([body(), pause()]);
    expect(parked).toBe(200);
    expect(cpu.now()).toBe(1450);
  });
});

describe('prefetch by system call', () => {
  it.each([1, 4])('moves a span to a device and back, %i ranges at a time', (depth) => {
    const system = new System({ vramPages: 128 });
    system.map(AREA, 64);
    const [cpu] = system.cpus;
    for (let i = 0; i < 64; i++) system.run(store(cpu, AREA + i, 100 + i));
    expect(system.run(cpu.prefetch(vpn(AREA), 64, 1, depth))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 64)).toEqual(['vram1']);
    system.checkAtRest();
    expect(system.run(cpu.prefetch(vpn(AREA), 64, -1, depth))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 64)).toEqual(['ram']);
    for (let i = 0; i < 64; i++) expect(system.run(load(cpu, AREA + i))).toBe(100 + i);
    system.checkAtRest();
    system.tearDown();
  });

  it('to a device that does not exist is -ENODEV', () => {
    const system = mapped();
    expect(system.run(system.cpus[0].prefetch(vpn(AREA), 16, 7, 1))).toBe(Errno.ENODEV);
  });
});
