/** migrate_vma of large folios: as a whole where both sides can, page by page elsewhere, and never with other bytes than before. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { PMD_ORDER, PMD_PAGES, vpn } from '../../src/base/units.js';
import { BuddyAllocator } from '../../src/memory/buddyAllocator.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
  pfn,
} from '../../src/memory/pfn.js';
import {
  type DeviceFault,
  type DevPagemap,
  type DevPagemapOps,
  pagemapOwner,
} from '../../src/mm/devPagemap.js';
import { isLeafAt } from '../../src/mm/hugeLeaf.js';
import { ThpMode } from '../../src/mm/kernel.js';
import { Madvise } from '../../src/mm/madvise.js';
import { MigrateDevice } from '../../src/mm/migrateDevice.js';
import { MigrateUnmap } from '../../src/mm/migrateUnmap.js';
import { MigrateSelect, MigrateVma, type MigrateVmaArgs } from '../../src/mm/migrateVma.js';
import type { Mm } from '../../src/mm/mm.js';
import { PteKind, pteKind, ptePfn } from '../../src/mm/pte.js';
import { Rmap } from '../../src/mm/rmap.js';
import type { Steps } from '../../src/sim/steps.js';
import { checkAccounting, type Machine, makeMachine, makeMm, pteOf, run, TestCpu } from './harness.js';
import { HUGE_AREA, mapHugeArea } from './hugeHarness.js';

/** A device that takes huge pages as they are, or as small ones. */
class HugeDevice implements DevPagemapOps {
  readonly vram: BuddyAllocator;
  readonly pagemap: DevPagemap;
  readonly splits: number[] = [];
  /** Whether it may allocate large folios: on itself, and in RAM for pages on their way home. */
  givesHuge = true;
  private readonly migrate: MigrateVma;
  private readonly migrateDevice: MigrateDevice;

  constructor(private readonly machine: Machine) {
    const { kernel } = machine;
    const zone = kernel.memory.layout.vramOf(0);
    this.vram = new BuddyAllocator(zone.firstPfn, zone.pages);
    this.pagemap = { zoneId: zone.id, owner: pagemapOwner(7), ops: this };
    kernel.addPagemap(this.pagemap);
    const rmap = new Rmap(kernel);
    const unmapper = new MigrateUnmap(kernel, rmap);
    this.migrate = new MigrateVma(kernel, unmapper, rmap);
    this.migrateDevice = new MigrateDevice(kernel, unmapper);
  }

  folioFree(page: Pfn, order: number): void {
    this.vram.free(page, order);
  }

  folioSplit(head: Pfn, npages: number): void {
    this.splits.push(head, npages);
  }

  *migrateToRam({ mm, page, pfn: at }: DeviceFault): Steps<Errno> {
    const { folios } = this.machine.kernel;
    const large = folios.isLarge(at) && isLeafAt(mm.pageTable, page);
    const start = large ? page - (page % PMD_PAGES) : page;
    const flags = MigrateSelect.DevicePrivate | (large ? MigrateSelect.Compound : 0);
    return (yield* this.move(mm, start, large ? PMD_PAGES : 1, flags, at)) > 0 ? Errno.OK : Errno.ENOMEM;
  }

  /** Returns how many entries moved. */
  *move(mm: Mm, start: number, npages: number, flags: number, faultPage: Pfn): Steps<number> {
    const vma = mm.vmas.find(vpn(start));
    if (vma === null) return -1;
    const args: MigrateVmaArgs = {
      mm,
      vma,
      start: vpn(start),
      end: vpn(start + npages),
      src: new Uint32Array(npages),
      dst: new Uint32Array(npages),
      flags,
      pgmapOwner: this.pagemap.owner,
      faultPage,
      cpages: 0,
    };
    if ((yield* this.migrate.setup(args)) !== Errno.OK) return -1;
    const home = (flags & MigrateSelect.DevicePrivate) !== 0;
    for (let i = 0; i < npages; i++) this.prepare(args.src, args.dst, i, home);
    yield* this.migrate.pages(args);
    let moved = 0;
    for (let i = 0; i < npages; i++) if ((args.src[i] & MigratePfnFlag.MIGRATE) !== 0) moved++;
    yield* this.migrate.finalize(args);
    return moved;
  }

  *toDevice(mm: Mm, flags: number): Steps<number> {
    yield* mm.mmapLock.read();
    const moved = yield* this.move(mm, HUGE_AREA, PMD_PAGES, MigrateSelect.System | flags, NO_PFN);
    mm.mmapLock.readUnlock();
    return moved;
  }

  /** By physical page, without an area. */
  *evict(head: Pfn): Steps<number> {
    const src = new Uint32Array(PMD_PAGES).map((_, i) => head + i);
    const dst = new Uint32Array(PMD_PAGES);
    yield* this.migrateDevice.pfns(src, PMD_PAGES);
    for (let i = 0; i < PMD_PAGES; i++) this.prepare(src, dst, i, true);
    yield* this.migrateDevice.pages(src, dst, PMD_PAGES);
    const moved = src.filter((entry) => (entry & MigratePfnFlag.MIGRATE) !== 0).length;
    yield* this.migrateDevice.finalize(src, dst, PMD_PAGES);
    return moved;
  }

  /** Allocates and fills the destination of an entry: of a compound one as a whole, or all its pages. */
  private prepare(src: Uint32Array, dst: Uint32Array, i: number, home: boolean): void {
    const entry = migratePfnAt(src, i);
    if ((entry & MigratePfnFlag.MIGRATE) === 0) return;
    const from = migratePfnToPfn(entry);
    const compound = (entry & MigratePfnFlag.COMPOUND) !== 0;
    if (compound && this.givesHuge) {
      dst[i] = migratePfn(this.take(PMD_ORDER, home), MigratePfnFlag.COMPOUND);
      this.fill(migratePfnToPfn(migratePfnAt(dst, i)), from, PMD_PAGES);
      return;
    }
    for (let j = 0; j < (compound ? PMD_PAGES : 1); j++) {
      dst[i + j] = migratePfn(this.take(0, home), 0);
      this.fill(migratePfnToPfn(migratePfnAt(dst, i + j)), from === NO_PFN ? from : pfn(from + j), 1);
    }
  }

  private take(order: number, home: boolean): Pfn {
    const { kernel } = this.machine;
    const page = home ? kernel.ram.alloc(order) : this.vram.alloc(order);
    if (page < 0) throw new Error('the test has too little memory');
    kernel.folios.prepareNew(page as Pfn, order, 1);
    kernel.folioLocks.lockNew(page as Pfn);
    return page as Pfn;
  }

  private fill(to: Pfn, from: Pfn, npages: number): void {
    if (from === NO_PFN) this.machine.kernel.memory.zeroPages(to, npages);
    else this.machine.kernel.memory.copyPages(to, from, npages);
  }
}

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
