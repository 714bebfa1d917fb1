/** migrate_vma of large folios: as a whole where both sides can, page by page elsewhere, and never with other bytes than before. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { NO_PFN } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { isLeafAt } from '../../../src/mm/huge/hugeLeaf.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import { MigrateSelect } from '../../../src/mm/migrate/migrateVma.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteKind, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  pteOf,
  run,
  StepRecorder,
  TestCpu,
} from '../harness.js';
import { HUGE_AREA, mapHugeArea } from '../huge/hugeHarness.js';
import { HugeDevice } from '../hugeDevice.js';

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;
let device: HugeDevice;

beforeEach(() => {
  machine = makeMachine({ ramPages: 6 * PMD_PAGES, vramPages: [4 * PMD_PAGES], pagesPerStep: 64 });
  machine.kernel.thp = ThpMode.Madvise;
  mm = makeMm(machine.kernel);
  cpu = new TestCpu(machine, mm);
  device = new HugeDevice(machine);
  mapHugeArea(machine, mm);
  run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.HugePage));
});

function store(page: number, value: number): void {
  expect(run(machine.kernel, cpu.store(page, value))).toBe(Errno.OK);
}

function load(page: number): number {
  return run(machine.kernel, cpu.load(page));
}

function toDevice(flags: number): number {
  return run(machine.kernel, device.toDevice(mm, flags));
}

function kindAt(i: number): [PteKind, boolean] {
  return [pteKind(pteOf(mm, HUGE_AREA + i)), isLeafAt(mm.pageTable, HUGE_AREA + i)];
}

describe('with compound entries', () => {
  it('a huge page goes as one, and comes home as one at the first touch', () => {
    store(HUGE_AREA + 9, 5);
    expect(toDevice(MigrateSelect.Compound)).toBe(1);
    expect(kindAt(9)).toEqual([PteKind.DevicePrivate, true]);
    expect([device.vram.usedPages, machine.kernel.ram.usedPages]).toEqual([PMD_PAGES, 1]);
    checkAccounting(machine.kernel, [mm]);
    expect(load(HUGE_AREA + 9)).toBe(5);
    expect(kindAt(9)).toEqual([PteKind.Present, true]);
    expect(device.vram.usedPages).toBe(0);
    store(HUGE_AREA + 9, 6);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a hole and the huge zero page become a zeroed huge page of the device', () => {
    expect(toDevice(MigrateSelect.Compound)).toBe(1);
    expect(kindAt(0)).toEqual([PteKind.DevicePrivate, true]);
    expect(load(HUGE_AREA + 3)).toBe(0);
    run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(HUGE_AREA), PMD_PAGES, Madvise.DontNeed));
    expect(load(HUGE_AREA + 3)).toBe(0);
    expect(kindAt(3)).toEqual([PteKind.Present, true]);
    expect(toDevice(MigrateSelect.Compound)).toBe(1);
    expect(kindAt(3)).toEqual([PteKind.DevicePrivate, true]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a huge page is split for a device that has only small ones', () => {
    store(HUGE_AREA + 9, 5);
    device.givesHuge = false;
    expect(toDevice(MigrateSelect.Compound)).toBe(PMD_PAGES);
    expect(kindAt(9)).toEqual([PteKind.DevicePrivate, false]);
    checkAccounting(machine.kernel, [mm]);
    expect(load(HUGE_AREA + 9)).toBe(5);
    expect(device.vram.usedPages).toBe(PMD_PAGES - 1);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a huge hole is filled with small pages by such a device', () => {
    device.givesHuge = false;
    expect(load(HUGE_AREA)).toBe(0);
    expect(toDevice(MigrateSelect.Compound)).toBe(PMD_PAGES);
    expect(kindAt(9)).toEqual([PteKind.DevicePrivate, false]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a device page is split on its way home when there is no huge page in RAM', () => {
    store(HUGE_AREA + 9, 5);
    toDevice(MigrateSelect.Compound);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    device.givesHuge = false;
    expect(load(HUGE_AREA + 9)).toBe(5);
    expect(device.splits).toEqual([head, PMD_PAGES]);
    expect(kindAt(9)).toEqual([PteKind.Present, false]);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a pinned huge page stays where it is', () => {
    store(HUGE_AREA + 9, 5);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    machine.kernel.folios.get(head);
    expect(toDevice(MigrateSelect.Compound)).toBe(0);
    expect(kindAt(9)).toEqual([PteKind.Present, true]);
    machine.kernel.folios.put(head);
    store(HUGE_AREA + 9, 6);
    checkAccounting(machine.kernel, [mm]);
  });

  it('a huge page that may be pinned for DMA is not even unmapped for a while', () => {
    store(HUGE_AREA + 9, 5);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    const { kernel } = machine;
    kernel.pins.pin(head);
    const steps = new StepRecorder(kernel);
    expect(toDevice(MigrateSelect.Compound)).toBe(0);
    expect(steps.take('migrate')).not.toContain('migrate.giveUp');
    steps.stop();
    expect([kindAt(9), kernel.folios.isLocked(head)]).toEqual([[PteKind.Present, true], false]);
    kernel.pins.unpin(head);
    expect(toDevice(MigrateSelect.Compound)).toBe(1);
    checkAccounting(kernel, [mm]);
  });

  it('an eviction by physical page moves the whole folio', () => {
    store(HUGE_AREA + 9, 5);
    toDevice(MigrateSelect.Compound);
    expect(run(machine.kernel, device.evict(ptePfn(pteOf(mm, HUGE_AREA))))).toBe(1);
    expect(kindAt(9)).toEqual([PteKind.Present, true]);
    expect(load(HUGE_AREA + 9)).toBe(5);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('without compound entries', () => {
  it('a huge page is split before it is collected', () => {
    store(HUGE_AREA + 9, 5);
    expect(toDevice(0)).toBe(PMD_PAGES);
    expect(kindAt(9)).toEqual([PteKind.DevicePrivate, false]);
    expect(machine.kernel.ram.usedPages).toBe(1);
    checkAccounting(machine.kernel, [mm]);
    expect(load(HUGE_AREA + 9)).toBe(5);
  });

  it('a huge page that cannot be split is left alone', () => {
    store(HUGE_AREA + 9, 5);
    const head = ptePfn(pteOf(mm, HUGE_AREA));
    machine.kernel.folios.get(head);
    expect(toDevice(0)).toBe(0);
    machine.kernel.folios.put(head);
    expect(load(HUGE_AREA + 9)).toBe(5);
    checkAccounting(machine.kernel, [mm]);
  });

  it('the pages of a folio that is mapped by pages are split first too', () => {
    store(HUGE_AREA + 9, 5);
    run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA + 500), 12));
    expect(toDevice(0)).toBe(-1);
    const part = function* (): Steps<number> {
      yield* mm.mmapLock.read();
      const moved = yield* device.move(mm, HUGE_AREA + 4, 10, MigrateSelect.System, NO_PFN);
      mm.mmapLock.readUnlock();
      return moved;
    };
    expect(run(machine.kernel, part())).toBe(10);
    expect([kindAt(9)[0], kindAt(3)[0]]).toEqual([PteKind.DevicePrivate, PteKind.Present]);
    expect(load(HUGE_AREA + 9)).toBe(5);
    checkAccounting(machine.kernel, [mm]);
  });
});
