/** madvise: DONTNEED empties what is mapped, area by area, and says so. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  RecordingNotifier,
  run,
  runAll,
  TestCpu,
} from '../harness.js';

const HIGH = 2 ** 34;

interface Setup {
  machine: Machine;
  mm: Mm;
  cpu: TestCpu;
  advise: (page: number, npages: number, advice?: Madvise) => Errno;
}

function setup(seed = 1): Setup {
  const machine = makeMachine({ seed });
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 8);
  const advise = (page: number, npages: number, advice: Madvise = Madvise.DontNeed): Errno =>
    run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(page), npages, advice));
  return { machine, mm, cpu: new TestCpu(machine, mm), advise };
}

describe('madvise', () => {
  it('DONTNEED drops content, keeps the area, and raises CLEAR over the span', () => {
    const { machine, mm, cpu, advise } = setup();
    for (let i = 0; i < 8; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(advise(HIGH + 2, 3)).toBe(Errno.OK);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 2}+3`]);
    const seen = [1, 2, 3, 4, 5].map((i) => run(machine.kernel, cpu.load(HIGH + i)));
    expect(seen).toEqual([11, 0, 0, 0, 15]);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('DONTNEED over a hole serves all that is mapped and returns -ENOMEM', () => {
    const { machine, mm, cpu, advise } = setup();
    mapFixed(machine, mm, HIGH + 10, 2);
    mapFixed(machine, mm, HIGH + 12, 2, Prot.Read);
    run(machine.kernel, cpu.store(HIGH + 7, 1));
    run(machine.kernel, cpu.store(HIGH + 10, 1));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 32);
    expect(advise(HIGH + 6, 10)).toBe(Errno.ENOMEM);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 6}+2`, `CLEAR ${HIGH + 10}+2`, `CLEAR ${HIGH + 12}+2`]);
    expect(machine.kernel.ram.usedPages).toBe(1);
  });

  it('returns -ENOMEM for a hole at either end, or for nothing but a hole', () => {
    const { advise } = setup();
    expect(advise(HIGH - 1, 2)).toBe(Errno.ENOMEM);
    expect(advise(HIGH + 7, 2)).toBe(Errno.ENOMEM);
    expect(advise(HIGH + 20, 2)).toBe(Errno.ENOMEM);
    expect(advise(HIGH, 8)).toBe(Errno.OK);
  });

  it('takes no pages as done, and a negative length as an error', () => {
    const { advise } = setup();
    expect(advise(HIGH + 20, 0)).toBe(Errno.OK);
    expect(advise(HIGH, -1)).toBe(Errno.EINVAL);
  });

  it('FREE gives pages up without taking them; a mere hint changes nothing, but checks the range', () => {
    const { machine, mm, cpu, advise } = setup();
    run(machine.kernel, cpu.store(HIGH, 5));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(advise(HIGH, 8, Madvise.Hint)).toBe(Errno.OK);
    expect(advise(HIGH, 9, Madvise.Hint)).toBe(Errno.ENOMEM);
    expect(mirror.take()).toEqual([]);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(5);
    expect(advise(HIGH, 8, Madvise.Free)).toBe(Errno.OK);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH}+8`]);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(5);
  });

  it('against stores of another thread leaves the new value or zeros, never a torn page', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { machine, mm, cpu } = setup(seed);
      const other = new TestCpu(machine, mm, 1);
      run(machine.kernel, cpu.store(HIGH, 1));
      const dontNeed = machine.calls.madvise.madvise(mm, vpn(HIGH), 8, Madvise.DontNeed);
      runAll(machine.kernel, [other.store(HIGH, 2), dontNeed, cpu.load(HIGH)]);
      expect([0, 2]).toContain(run(machine.kernel, cpu.load(HIGH)));
      expect(run(machine.kernel, other.load(HIGH))).toBe(run(machine.kernel, cpu.load(HIGH)));
      checkAccounting(machine.kernel, [mm]);
    }
  });
});
