/** Each allocation of each memory call fails in turn: an errno, nothing leaked, and the call works when it is repeated. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { FailureInjector } from '../../src/memory/failureInjector.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { MremapFlag } from '../../src/mm/area/mremap.js';
import type { Mm } from '../../src/mm/process/mm.js';
import type { Steps } from '../../src/sim/steps.js';
import { type FailureTrial, forEachFailure } from './failureLoop.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  run,
  TestCpu,
} from './harness.js';

const HIGH = 2 ** 34;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
}

/** Eight written pages. */
function setup(): Setup {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 8);
  for (let i = 0; i < 8; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  return { machine, mm, cpu };
}

/** The call under test; it returns an errno, or a page. */
type Call = (setup: Setup) => Steps<number>;

/** What each page is mapped as, whatever the areas are cut into. */
function pagesOf(mm: Mm): [number, number][] {
  const pages: [number, number][] = [];
  for (const { start, end, flags } of mm.vmas)
    for (let page: number = start; page < end; page++) pages.push([page, flags]);
  return pages;
}

/** A failure is -ENOMEM and leaves the memory as it was, perhaps with an area that is cut in two; without one the call succeeds; either way the account is right. */
function trial(call: Call): FailureTrial {
  const made = setup();
  const { machine, mm, cpu } = made;
  const before = pagesOf(mm);
  let result = 0;
  return {
    kernel: machine.kernel,
    act: () => {
      result = run(machine.kernel, call(made));
    },
    check: (failed) => {
      checkAccounting(machine.kernel, [mm]);
      if (!failed) return expect(result).toBeGreaterThanOrEqual(0);
      expect(result).toBe(Errno.ENOMEM);
      expect(pagesOf(mm)).toEqual(before);
      expect(run(machine.kernel, cpu.load(HIGH + 7))).toBe(17);
      expect(run(machine.kernel, call(made))).toBeGreaterThanOrEqual(0);
      return checkAccounting(machine.kernel, [mm]);
    },
  };
}

function failuresOf(call: Call): number {
  return forEachFailure(() => trial(call));
}

describe('with each allocation failing in turn', () => {
  it('mmap fails for its area', () => {
    const call: Call = ({ machine, mm }) =>
      machine.calls.memoryMap.mmap(mm, { hint: vpn(0), npages: 4, prot: Prot.Read, flags: 0 });
    expect(failuresOf(call)).toBe(1);
  });

  it('mmap over the middle of an area fails for the new area and each piece that it cuts off, with the old pages intact', () => {
    const call: Call = ({ machine, mm }) =>
      machine.calls.memoryMap.mmap(mm, {
        hint: vpn(HIGH + 2),
        npages: 2,
        prot: Prot.Read,
        flags: MapFlag.Fixed,
      });
    expect(failuresOf(call)).toBe(3);
  });

  it('munmap fails for the pieces that it leaves', () => {
    const whole: Call = ({ machine, mm }) => machine.calls.memoryMap.munmap(mm, vpn(HIGH), 8);
    const middle: Call = ({ machine, mm }) => machine.calls.memoryMap.munmap(mm, vpn(HIGH + 2), 2);
    expect(failuresOf(whole)).toBe(0);
    expect(failuresOf(middle)).toBe(2);
  });

  it('mprotect fails for the pieces that it cuts off', () => {
    const call: Call = ({ machine, mm }) => machine.calls.mprotect.mprotect(mm, vpn(HIGH + 2), 2, Prot.Read);
    expect(failuresOf(call)).toBe(2);
  });

  it.each<[string, Call]>([
    ['munmap', ({ machine, mm }) => machine.calls.memoryMap.munmap(mm, vpn(HIGH + 2), 2)],
    ['mprotect', ({ machine, mm }) => machine.calls.mprotect.mprotect(mm, vpn(HIGH + 2), 2, Prot.Read)],
  ])('of the cuts of %s the first stays when the second fails', (_what, call) => {
    const made = setup();
    const injector = new FailureInjector();
    injector.failNth(2);
    made.machine.kernel.injectFailures(injector);
    expect(run(made.machine.kernel, call(made))).toBe(Errno.ENOMEM);
    expect(areasOf(made.mm)).toEqual([`${HIGH}+2 rw-`, `${HIGH + 2}+6 rw-`]);
  });

  it('mremap fails for the new area and for each page table at the target, and the pages are where they were', () => {
    const call: Call = ({ machine, mm }) =>
      machine.calls.mremap.mremap(mm, {
        from: vpn(HIGH),
        fromPages: 8,
        toPages: 8,
        flags: MremapFlag.MayMove | MremapFlag.Fixed,
        target: vpn(HIGH / 2),
      });
    expect(failuresOf(call)).toBeGreaterThanOrEqual(3);
  });

  it('a fault in a new place fails for each level of page tables, the anon_vma and the page', () => {
    const runs = forEachFailure(() => {
      const { machine, mm, cpu } = setup();
      mapFixed(machine, mm, HIGH / 2, 1);
      let errno: Errno = Errno.OK;
      return {
        kernel: machine.kernel,
        act: () => {
          errno = run(machine.kernel, cpu.store(HIGH / 2, 5));
        },
        check: (failed) => {
          expect(errno).toBe(failed ? Errno.ENOMEM : Errno.OK);
          checkAccounting(machine.kernel, [mm]);
          expect(run(machine.kernel, cpu.store(HIGH / 2, 5))).toBe(Errno.OK);
        },
      };
    });
    expect(runs).toBe(5);
  });
});
