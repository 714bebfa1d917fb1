/** pagemap and soft-dirty: what each state of a page reads as, and that writes are noticed after a clearing. */

import { describe, expect, it } from 'vitest';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import type { PagemapEntry } from '../../../src/mm/table/pagemap.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn, pteWithout } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  TestCpu,
  TestDevice,
} from '../harness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';

const HIGH = 2 ** 34;

function setup() {
  const machine = makeMachine({ vramPages: [16] });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 4);
  for (let i = 0; i < 3; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  const read = (i: number): PagemapEntry => machine.calls.pagemap.read(mm, vpn(HIGH + i));
  return { machine, mm, cpu, read };
}

describe('pagemap', () => {
  it('tells present, swapped and untouched pages apart; one on a device counts as swapped', () => {
    const { machine, mm, cpu, read } = setup();
    run(machine.kernel, machine.calls.reclaim.shrinkMm(mm));
    run(machine.kernel, cpu.load(HIGH));
    run(machine.kernel, cpu.load(HIGH + 1));
    new TestDevice(machine.kernel).takePage(mm, HIGH + 1);
    const states = [0, 1, 2, 3].map((i) => [read(i).present, read(i).swapped]);
    expect(states).toEqual([
      [true, false],
      [false, true],
      [false, true],
      [false, false],
    ]);
    expect([0, 1].map((i) => [read(i).exclusive, read(i).file])).toEqual([
      [true, false],
      [false, false],
    ]);
  });

  it('forgets soft-dirty inside one SOFT_DIRTY event over everything, and notices each write from then on', () => {
    const { machine, mm, cpu, read } = setup();
    expect([0, 1, 2].map((i) => read(i).softDirty)).toEqual([true, true, true]);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    run(machine.kernel, machine.calls.pagemap.clearSoftDirty(mm));
    expect(mirror.take()).toEqual([`SOFT_DIRTY 0+${2 ** 35}`]);
    run(machine.kernel, machine.calls.reclaim.shrinkMm(mm));
    for (let i = 0; i < 3; i++) run(machine.kernel, cpu.load(HIGH + i));
    run(machine.kernel, cpu.store(HIGH + 1, 5));
    expect([0, 1, 2].map((i) => read(i).softDirty)).toEqual([false, true, false]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('new mappings are soft-dirty without having been touched, until the next clearing; areas merge all the same', () => {
    const { machine, mm, cpu, read } = setup();
    const { kernel, calls } = machine;
    expect(read(3)).toMatchObject({ present: false, softDirty: true });
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    expect(read(3).softDirty).toBe(false);
    mapFixed(machine, mm, HIGH + 8, 2);
    expect([3, 8].map((i) => read(i).softDirty)).toEqual([false, true]);
    mapFixed(machine, mm, HIGH + 4, 4);
    expect(areasOf(mm)).toEqual([`${HIGH}+10 rw-`]);
    expect(read(3).softDirty).toBe(true);
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    run(kernel, cpu.load(HIGH + 5));
    expect([0, 5, 8].map((i) => read(i).softDirty)).toEqual([false, false, false]);
  });

  it('no protection that is given back hides a store', () => {
    const { machine, mm, cpu, read } = setup();
    const { kernel, calls } = machine;
    const shared = vpn(HIGH + 16);
    run(kernel, mapShared(machine, mm, shared));
    run(kernel, cpu.store(shared, 1));
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    for (const prot of [Prot.Read, Prot.None, Prot.Read | Prot.Write]) {
      run(kernel, calls.mprotect.mprotect(mm, vpn(HIGH), 4, prot));
      run(kernel, calls.mprotect.mprotect(mm, shared, 2, prot));
    }
    expect([0, 16].map((i) => pteHas(pteOf(mm, HIGH + i), PteBit.Write))).toEqual([false, false]);
    run(kernel, cpu.load(shared + 1));
    for (const i of [0, 16, 17]) run(kernel, cpu.store(HIGH + i, 6));
    expect([0, 1, 16, 17].map((i) => read(i).softDirty)).toEqual([true, false, true, true]);
    checkAccounting(kernel, [mm]);
  });

  it('what mremap has moved is dirty at its new place', () => {
    const { machine, mm, read } = setup();
    run(machine.kernel, machine.calls.pagemap.clearSoftDirty(mm));
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const move = { from: vpn(HIGH), fromPages: 2, toPages: 2, flags, target: vpn(HIGH + 32) };
    run(machine.kernel, machine.calls.mremap.mremap(mm, move));
    expect([32, 33, 2].map((i) => read(i).softDirty)).toEqual([true, true, false]);
  });

  it.each([3, 512])('what moves as a whole table, of %i pages, is as dirty as it was', (touched) => {
    const machine = makeMachine({ ramPages: 1024, pagesPerStep: 16 });
    const { kernel, calls } = machine;
    const mm = makeMm(kernel);
    const cpu = new TestCpu(machine, mm);
    const from = 2 ** 34;
    mapFixed(machine, mm, from, 512);
    for (let i = 0; i < touched; i++) run(kernel, cpu.store(from + i, 1));
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const target = vpn(from + 2 ** 20);
    run(kernel, calls.mremap.mremap(mm, { from: vpn(from), fromPages: 512, toPages: 512, flags, target }));
    for (let i = 0; i < touched; i++) expect(calls.pagemap.read(mm, vpn(target + i)).softDirty).toBe(false);
  });

  it('leaves a pinned page writable, since it may be written without a fault', () => {
    const { machine, mm } = setup();
    const { pins } = machine.kernel;
    pins.pin(ptePfn(pteOf(mm, HIGH)));
    run(machine.kernel, machine.calls.pagemap.clearSoftDirty(mm));
    expect([0, 1].map((i) => pteHas(pteOf(mm, HIGH + i), PteBit.Write))).toEqual([true, false]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a page that a device gets where there was none is not soft-dirty, there or at home', () => {
    const { machine, mm, read } = setup();
    const { kernel } = machine;
    run(kernel, machine.calls.pagemap.clearSoftDirty(mm));
    const device = new MigratingDevice(kernel);
    expect(run(kernel, device.take(mm, HIGH + 3, 1))).toBe(1);
    expect(pteHas(pteOf(mm, HIGH + 3), PteBit.Write)).toBe(true);
    expect(read(3)).toMatchObject({ swapped: true, softDirty: false });
    expect(run(kernel, device.giveBack(mm, HIGH + 3, 1))).toBe(1);
    expect(read(3)).toMatchObject({ present: true, softDirty: false });
  });

  it('a page on a device is soft-dirty no more when it loses its write access', () => {
    const { machine, mm, cpu, read } = setup();
    const { kernel } = machine;
    run(kernel, machine.calls.pagemap.clearSoftDirty(mm));
    run(kernel, cpu.store(HIGH, 7));
    expect(run(kernel, new MigratingDevice(kernel).take(mm, HIGH, 1))).toBe(1);
    expect(read(0).softDirty).toBe(true);
    run(kernel, machine.calls.mprotect.mprotect(mm, vpn(HIGH), 4, Prot.Read));
    expect(read(0).softDirty).toBe(false);
  });

  for (const clear of [true, false]) {
    it(`a page stays soft-dirty on its way to a device and back${clear ? ', or is not' : ''}, and comes home old and clean`, () => {
      const { machine, mm } = setup();
      const { kernel } = machine;
      if (clear) {
        run(kernel, machine.calls.pagemap.clearSoftDirty(mm));
        const bare = pteWithout(pteOf(mm, HIGH), PteBit.Young | PteBit.Dirty);
        mm.pageTable.write(mm.pageTable.slot(HIGH), bare);
      }
      const marks = (): boolean[] =>
        [PteBit.Young, PteBit.Dirty, PteBit.SoftDirty].map((bit) => pteHas(pteOf(mm, HIGH), bit));
      const before = marks();
      expect(before).toEqual([!clear, !clear, !clear]);
      const device = new MigratingDevice(kernel);
      expect(run(kernel, device.take(mm, HIGH, 1))).toBe(1);
      expect(pteKind(pteOf(mm, HIGH))).toBe(PteKind.DevicePrivate);
      expect(marks()).toEqual([false, false, !clear]);
      expect(machine.calls.pagemap.read(mm, vpn(HIGH)).softDirty).toBe(!clear);
      expect(run(kernel, device.giveBack(mm, HIGH, 1))).toBe(1);
      expect(pteKind(pteOf(mm, HIGH))).toBe(PteKind.Present);
      expect(marks()).toEqual([false, false, !clear]);
      // That it was stored to, the page itself knows.
      expect(kernel.folios.testFlag(ptePfn(pteOf(mm, HIGH)), FolioFlag.Dirty)).toBe(!clear);
      checkAccounting(kernel, [mm]);
    });
  }
});

function mapShared(machine: Machine, mm: Mm, hint: Vpn): Steps<number> {
  const flags = MapFlag.Fixed | MapFlag.Shared;
  return machine.calls.memoryMap.mmap(mm, { hint, npages: 2, prot: Prot.Read | Prot.Write, flags });
}
