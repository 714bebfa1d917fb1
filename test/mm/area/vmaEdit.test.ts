/** Splitting and merging keep the reverse map in step with the areas. */

import { describe, expect, it, vi } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { MAP_COUNT_MAX } from '../../../src/mm/area/unmappedArea.js';
import { Vma } from '../../../src/mm/area/vma.js';
import { Userfaultfd } from '../../../src/mm/fault/userfaultfd.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { prepareAnonVma } from '../../../src/mm/rmap/anonVmaPrepare.js';
import type { Steps } from '../../../src/sim/steps.js';
import { areasOf, type Machine, makeMachine, makeMm, mapFixed, run, TestCpu } from '../harness.js';

const HIGH = 2 ** 34;
const RW = Prot.Read | Prot.Write;

function setup(): { machine: Machine; mm: Mm; cpu: TestCpu; area: (page: number) => Vma } {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 8);
  const area = (page: number): Vma => mm.vmas.find(vpn(page)) ?? expect.unreachable();
  return { machine, mm, cpu: new TestCpu(machine, mm), area };
}

/** Runs a change under mmap_lock for write. */
function change<T>(machine: Machine, mm: Mm, body: () => T): T {
  const steps = function* (): Steps<T> {
    yield* mm.mmapLock.write();
    const result = body();
    mm.mmapLock.writeUnlock();
    return result;
  };
  return run(machine.kernel, steps());
}

describe('split', () => {
  it('makes two areas that share the anon_vma and continue its offsets', () => {
    const { machine, mm, cpu, area } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    const lower = area(HIGH);
    const upper = change(machine, mm, () => machine.calls.edit.split(mm, lower, vpn(HIGH + 3)));
    expect(areasOf(mm)).toEqual([`${HIGH}+3 rw-`, `${HIGH + 3}+5 rw-`]);
    expect(upper.anonVma).toBe(lower.anonVma);
    expect([...(lower.anonVma?.areas ?? [])].map((link) => link.value.vma)).toEqual([lower, upper]);
    expect([lower.indexOf(vpn(HIGH + 2)), upper.indexOf(vpn(HIGH + 3))]).toEqual([HIGH + 2, HIGH + 3]);
    const flagsBack = (flags: number): unknown =>
      machine.calls.edit.modifyFlags(mm, upper, upper.start, upper.end, flags);
    change(machine, mm, () => flagsBack(Prot.Read));
    change(machine, mm, () => flagsBack(lower.flags));
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    expect([...(lower.anonVma?.areas ?? [])].map((link) => link.value.vma)).toEqual([lower]);
  });

  it('needs a page inside the area, and the lock', () => {
    const { machine, mm, area } = setup();
    const split = (page: number): unknown => machine.calls.edit.split(mm, area(HIGH), vpn(page));
    expect(() => change(machine, mm, () => split(HIGH))).toThrow(AssertionFailure);
    const other = setup();
    const steps = function* (): Steps<void> {
      other.machine.calls.edit.split(other.mm, other.area(HIGH), vpn(HIGH + 1));
    };
    expect(() => run(other.machine.kernel, steps())).toThrow(AssertionFailure);
  });
});

describe('carve', () => {
  it('cuts out exactly the span, and nothing where the span is the area', () => {
    const { machine, mm, area } = setup();
    const { edit } = machine.calls;
    const carved = change(machine, mm, () => edit.carve(mm, area(HIGH), vpn(HIGH + 2), vpn(HIGH + 5)));
    expect(carved).toBe(area(HIGH + 2));
    expect(areasOf(mm)).toEqual([`${HIGH}+2 rw-`, `${HIGH + 2}+3 rw-`, `${HIGH + 5}+3 rw-`]);
    expect(change(machine, mm, () => edit.carve(mm, area(HIGH), vpn(HIGH), vpn(HIGH + 2)))).toBe(area(HIGH));
    expect(mm.vmas.size).toBe(3);
  });
});

describe('the limit of areas', () => {
  it('makes every call that would exceed it fail with -ENOMEM, and leaves things as they were', () => {
    const { machine, mm } = setup();
    const { calls, kernel } = machine;
    for (let i = 1; i < MAP_COUNT_MAX; i++) {
      const start = vpn(HIGH + 1000 + 2 * i);
      mm.vmas.insert(new Vma(start, vpn(start + 1), RW, start));
    }
    expect(run(kernel, calls.mprotect.mprotect(mm, vpn(HIGH + 2), 1, Prot.Read))).toBe(Errno.ENOMEM);
    expect(run(kernel, calls.memoryMap.munmap(mm, vpn(HIGH + 2), 1))).toBe(Errno.ENOMEM);
    const move = { from: vpn(HIGH), fromPages: 8, toPages: 8, flags: 3, target: vpn(2 ** 30) };
    expect(run(kernel, calls.mremap.mremap(mm, move))).toBe(Errno.ENOMEM);
    const args = { hint: vpn(0), npages: 1, prot: RW, flags: 0 };
    expect(run(kernel, calls.memoryMap.mmap(mm, args))).toBeGreaterThan(0);
    expect(run(kernel, calls.memoryMap.mmap(mm, args))).toBe(Errno.ENOMEM);
    expect(run(kernel, calls.memoryMap.munmap(mm, vpn(HIGH), 8))).toBe(Errno.OK);
    expect(mm.vmas.size).toBe(MAP_COUNT_MAX);
  });

  type Change = (machine: Machine, mm: Mm) => Steps<Errno>;
  it.each<[string, Change, Errno]>([
    ['mprotect', ({ calls }, mm) => calls.mprotect.mprotect(mm, vpn(HIGH + 2), 3, Prot.Read), Errno.ENOMEM],
    ['mlock', ({ calls }, mm) => calls.mlock.mlock(mm, vpn(HIGH + 2), 3), Errno.ENOMEM],
    [
      'madvise',
      ({ calls }, mm) => calls.madvise.madvise(mm, vpn(HIGH + 2), 3, Madvise.DontFork),
      Errno.EAGAIN,
    ],
    [
      'a registration with userfaultfd',
      ({ kernel, calls }, mm) => new Userfaultfd(kernel, mm, calls.edit).register(vpn(HIGH + 2), 3),
      Errno.ENOMEM,
    ],
  ])(
    'has room for the first of two cuts of %s, which stays though the second fails',
    (_what, call, errno) => {
      const { machine, mm } = setup();
      vi.spyOn(mm.vmas, 'size', 'get').mockImplementation(() => MAP_COUNT_MAX - 2 + [...mm.vmas].length);
      expect(run(machine.kernel, call(machine, mm))).toBe(errno);
      expect(areasOf(mm)).toEqual([`${HIGH}+2 rw-`, `${HIGH + 2}+6 rw-`]);
      expect(new Set([...mm.vmas].map(({ flags }) => flags)).size).toBe(1);
    },
  );
});

describe('prepareAnonVma', () => {
  it('shares that of a neighbour which differs in protection only', () => {
    const { machine, mm, area } = setup();
    const protect = (start: number, npages: number): void => {
      run(machine.kernel, machine.calls.mprotect.mprotect(mm, vpn(start), npages, RW | Prot.Exec));
    };
    mapFixed(machine, mm, HIGH + 8, 4);
    mapFixed(machine, mm, HIGH - 4, 4);
    protect(HIGH + 8, 4);
    protect(HIGH - 4, 4);
    const shared = prepareAnonVma(machine.kernel, mm, area(HIGH + 8));
    expect(prepareAnonVma(machine.kernel, mm, area(HIGH))).toBe(shared);
    expect(prepareAnonVma(machine.kernel, mm, area(HIGH - 4))).toBe(shared);
    expect(prepareAnonVma(machine.kernel, mm, area(HIGH))).toBe(shared);
  });

  it('shares none across a hole or where the offsets do not go on', () => {
    const { machine, mm, area } = setup();
    mapFixed(machine, mm, HIGH + 12, 4);
    const own = prepareAnonVma(machine.kernel, mm, area(HIGH));
    const far = area(HIGH + 12);
    mm.vmas.resize(far, far.start, far.end, HIGH + 8);
    expect(prepareAnonVma(machine.kernel, mm, far)).not.toBe(own);
    mapFixed(machine, mm, HIGH - 4, 4, Prot.Read);
    const below = area(HIGH - 4);
    mm.vmas.resize(below, below.start, below.end, 77);
    expect(prepareAnonVma(machine.kernel, mm, below)).not.toBe(own);
  });
});

it('a whole area can be carved where there is room for no more, and a part of one cannot', () => {
  const { machine, mm, area } = setup();
  vi.spyOn(mm.vmas, 'size', 'get').mockReturnValue(MAP_COUNT_MAX + 1);
  const carve = (end: number): unknown =>
    change(machine, mm, () => machine.calls.edit.carve(mm, area(HIGH), vpn(HIGH), vpn(end)));
  expect([carve(HIGH + 8), carve(HIGH + 7)]).toEqual([area(HIGH), Errno.ENOMEM]);
});
