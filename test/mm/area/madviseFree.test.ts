/** MADV_FREE: pages stay readable until memory is short, go without being written out, and are taken back by a write. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteKind, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  TestCpu,
  TestDevice,
} from '../harness.js';

const HIGH = 2 ** 34;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly free: () => Errno;
  readonly reclaim: () => number;
}

/** Four written pages. */
function setup(): Setup {
  const machine = makeMachine({ vramPages: [16] });
  const { kernel, calls } = machine;
  const mm = makeMm(kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 4);
  for (let i = 0; i < 4; i++) run(kernel, cpu.store(HIGH + i, 10 + i));
  const free = (): Errno => run(kernel, calls.madvise.madvise(mm, vpn(HIGH), 4, Madvise.Free));
  return { machine, mm, cpu, free, reclaim: () => run(kernel, calls.reclaim.shrinkMm(mm)) };
}

describe('MADV_FREE', () => {
  it('keeps the content until reclaim, which drops it without a slot', () => {
    const { machine, mm, cpu, free, reclaim } = setup();
    expect(free()).toBe(Errno.OK);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(10);
    expect(reclaim()).toBe(4);
    expect(machine.kernel.swapCache.area.writes).toBe(0);
    expect(machine.kernel.ram.usedPages).toBe(1);
    expect([0, 1, 2, 3].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([0, 0, 0, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is cancelled for a page by a write, also one through a translation that was there before', () => {
    const { machine, mm, cpu, free, reclaim } = setup();
    free();
    run(machine.kernel, cpu.store(HIGH + 1, 99, 1));
    expect(reclaim()).toBe(3);
    expect(machine.kernel.folios.testFlag(ptePfn(pteOf(mm, HIGH + 1)), FolioFlag.LazyFree)).toBe(false);
    expect([run(machine.kernel, cpu.load(HIGH + 1)), run(machine.kernel, cpu.load(HIGH + 1, 1))]).toEqual([
      11, 99,
    ]);
    reclaim();
    expect(run(machine.kernel, cpu.load(HIGH + 1, 1))).toBe(99);
    checkAccounting(machine.kernel, [mm]);
  });

  it('frees what is swapped out at once, and leaves device pages alone', () => {
    const { machine, mm, cpu, free, reclaim } = setup();
    const device = new TestDevice(machine.kernel);
    device.takePage(mm, HIGH);
    expect(reclaim()).toBe(3);
    free();
    expect(machine.kernel.swapCache.area.usedSlots).toBe(0);
    expect([0, 1].map((i) => pteKind(pteOf(mm, HIGH + i)))).toEqual([PteKind.DevicePrivate, PteKind.None]);
    expect([0, 1].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 0]);
    checkAccounting(machine.kernel, [mm]);
  });
});
