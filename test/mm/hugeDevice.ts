/** A device with huge pages for tests of migration: it takes them as they are, or as small ones. */

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
import { isLeafAt } from '../../src/mm/huge/hugeLeaf.js';
import {
  type DeviceFault,
  type DevPagemap,
  type DevPagemapOps,
  pagemapOwner,
} from '../../src/mm/migrate/devPagemap.js';
import { MigrateDevice } from '../../src/mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../../src/mm/migrate/migrateUnmap.js';
import { MigrateSelect, MigrateVma, type MigrateVmaArgs } from '../../src/mm/migrate/migrateVma.js';
import type { Mm } from '../../src/mm/process/mm.js';
import { Rmap } from '../../src/mm/rmap/rmap.js';
import type { Steps } from '../../src/sim/steps.js';
import type { Machine } from './harness.js';
import { HUGE_AREA } from './huge/hugeHarness.js';

export class HugeDevice implements DevPagemapOps {
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

  *toDevice(mm: Mm, flags: number, start = HUGE_AREA): Steps<number> {
    yield* mm.mmapLock.read();
    const moved = yield* this.move(mm, start, PMD_PAGES, MigrateSelect.System | flags, NO_PFN);
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
