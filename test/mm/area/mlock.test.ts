/** mlock: pages are there at once, stay through reclaim and DONTNEED, and areas split and merge by the flag. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteKind, pteKind } from '../../../src/mm/table/pte.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  TestCpu,
} from '../harness.js';

const HIGH = 2 ** 34;

function setup(): { machine: Machine; mm: Mm } {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 8);
  return { machine, mm };
}

describe('mlock', () => {
  it('faults the range in for writing and cuts the area; munlock makes it one again', () => {
    const { machine, mm } = setup();
    const { kernel, calls } = machine;
    // Areas of which only one has an anon_vma do not merge in Linux 6.12.
    run(kernel, new TestCpu(machine, mm).store(HIGH + 2, 1));
    expect(run(kernel, calls.mlock.mlock(mm, vpn(HIGH + 2), 3))).toBe(Errno.OK);
    expect(areasOf(mm).length).toBe(3);
    expect(kernel.ram.usedPages).toBe(4);
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(0);
    expect(run(kernel, calls.madvise.madvise(mm, vpn(HIGH + 2), 1, Madvise.DontNeed))).toBe(Errno.EINVAL);
    expect(run(kernel, calls.mlock.munlock(mm, vpn(HIGH), 8))).toBe(Errno.OK);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(3);
    checkAccounting(kernel, [mm]);
  });

  it('is -ENOMEM over a hole, with what lies before it locked, and for memory without access', () => {
    const { machine, mm } = setup();
    const { kernel, calls } = machine;
    expect(run(kernel, calls.mlock.mlock(mm, vpn(HIGH + 4), 8))).toBe(Errno.ENOMEM);
    expect(areasOf(mm).length).toBe(2);
    expect(pteKind(pteOf(mm, HIGH + 4))).toBe(PteKind.None);
    mapFixed(machine, mm, HIGH + 16, 1, Prot.None);
    expect(run(kernel, calls.mlock.mlock(mm, vpn(HIGH + 16), 1))).toBe(Errno.ENOMEM);
  });

  it('copies pages of a private mapping as soon as they may be written', () => {
    const { machine, mm } = setup();
    const { kernel, calls } = machine;
    const file = kernel.pageCache.create(2);
    const args = { hint: vpn(HIGH), npages: 2, prot: Prot.Read, flags: MapFlag.Fixed, file };
    run(kernel, calls.memoryMap.mmap(mm, args));
    run(kernel, calls.mlock.mlock(mm, vpn(HIGH), 2));
    run(kernel, calls.mprotect.mprotect(mm, vpn(HIGH), 1, Prot.Read | Prot.Write));
    for (const index of [0, 1]) kernel.pageCache.write(file.mapping, index, new Int32Array([7]));
    const cpu = new TestCpu(machine, mm);
    expect([0, 1].map((i) => run(kernel, cpu.load(HIGH + i)))).toEqual([0, 7]);
  });

  it('reaches what the area grows by', () => {
    const { machine, mm } = setup();
    const { kernel, calls } = machine;
    run(kernel, calls.mlock.mlock(mm, vpn(HIGH), 8));
    for (const flags of [0, MremapFlag.MayMove]) {
      const { end } = [...mm.vmas][0];
      const grown = { from: vpn(end - 4), fromPages: 4, toPages: 6, flags, target: vpn(0) };
      const at = run(kernel, calls.mremap.mremap(mm, grown));
      expect([4, 5].map((i) => pteKind(pteOf(mm, at + i)))).toEqual([PteKind.Present, PteKind.Present]);
      // What comes next cannot grow where it is.
      mapFixed(machine, mm, at + 6, 1, Prot.None);
    }
    checkAccounting(kernel, [mm]);
  });

  it('comes with MAP_LOCKED too', () => {
    const { machine, mm } = setup();
    const flags = MapFlag.Fixed | MapFlag.Locked;
    const args = { hint: vpn(HIGH + 64), npages: 2, prot: Prot.Read | Prot.Write, flags };
    run(machine.kernel, machine.calls.memoryMap.mmap(mm, args));
    expect([64, 65].map((i) => pteKind(pteOf(mm, HIGH + i)))).toEqual([PteKind.Present, PteKind.Present]);
  });
});
