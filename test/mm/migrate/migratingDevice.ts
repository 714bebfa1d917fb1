/** A device whose pages move by migrate_vma, with all that belongs to it: for pages that several processes map. */

import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { BuddyAllocator } from '../../../src/memory/buddyAllocator.js';
import { AllocSite } from '../../../src/memory/failureInjector.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../../src/memory/pfn.js';
import { ZoneKind } from '../../../src/memory/zone.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import {
  type DeviceFault,
  type DevPagemap,
  type DevPagemapOps,
  pagemapOwner,
} from '../../../src/mm/migrate/devPagemap.js';
import { MigrateUnmap } from '../../../src/mm/migrate/migrateUnmap.js';
import { MigrateSelect, MigrateVma, type MigrateVmaArgs } from '../../../src/mm/migrate/migrateVma.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import type { Steps } from '../../../src/sim/steps.js';

export class MigratingDevice implements DevPagemapOps {
  readonly pagemap: DevPagemap;
  readonly vram: BuddyAllocator;
  private readonly migrate: MigrateVma;

  constructor(
    private readonly kernel: Kernel,
    index = 0,
  ) {
    const zone = kernel.memory.layout.vramOf(index);
    this.vram = new BuddyAllocator(zone.firstPfn, zone.pages);
    this.pagemap = { zoneId: zone.id, owner: pagemapOwner(100 + index), ops: this };
    kernel.addPagemap(this.pagemap);
    const rmap = new Rmap(kernel);
    this.migrate = new MigrateVma(kernel, new MigrateUnmap(kernel, rmap), rmap);
  }

  /** Moves what can be moved of a span of one area to the device. Returns how many pages arrived; -EINVAL without an area. */
  *take(mm: Mm, start: number, npages: number): Steps<number> {
    yield* mm.mmapLock.read();
    const moved = yield* this.move(mm, vpn(start), vpn(start + npages), MigrateSelect.System, NO_PFN);
    mm.mmapLock.readUnlock();
    return moved;
  }

  /** Moves what the device has of a span of one area to RAM, without a fault. Returns how many pages arrived. */
  *giveBack(mm: Mm, start: number, npages: number): Steps<number> {
    yield* mm.mmapLock.read();
    const moved = yield* this.move(mm, vpn(start), vpn(start + npages), this.ownPages, NO_PFN);
    mm.mmapLock.readUnlock();
    return moved;
  }

  *migrateToRam({ mm, page, pfn }: DeviceFault): Steps<Errno> {
    const moved = yield* this.move(mm, page, (page + 1) as Vpn, this.ownPages, pfn);
    return moved === 1 ? Errno.OK : Errno.ENOMEM;
  }

  folioFree(pfn: Pfn): void {
    this.vram.free(pfn, 0);
  }

  /** How migrate_vma is told to select what is in this device's memory. */
  private get ownPages(): number {
    const { kind } = this.kernel.memory.layout.zones[this.pagemap.zoneId];
    return kind === ZoneKind.DeviceCoherent ? MigrateSelect.DeviceCoherent : MigrateSelect.DevicePrivate;
  }

  private *move(mm: Mm, start: Vpn, end: Vpn, flags: number, faultPage: Pfn): Steps<number> {
    const vma = mm.vmas.find(start);
    if (vma === null) return Errno.EINVAL;
    const args: MigrateVmaArgs = {
      mm,
      vma,
      start,
      end,
      src: new Uint32Array(end - start),
      dst: new Uint32Array(end - start),
      flags,
      pgmapOwner: this.pagemap.owner,
      faultPage,
      cpages: 0,
    };
    const errno = yield* this.migrate.setup(args);
    if (errno !== Errno.OK) return errno;
    this.copy(args, flags !== MigrateSelect.System);
    yield* this.migrate.pages(args);
    yield* this.migrate.finalize(args);
    return args.src.filter((entry) => (entry & MigratePfnFlag.MIGRATE) !== 0).length;
  }

  private copy({ src, dst }: MigrateVmaArgs, home: boolean): void {
    const { memory, folioLocks } = this.kernel;
    src.forEach((entry, i) => {
      if ((entry & MigratePfnFlag.MIGRATE) === 0) return;
      const to = home ? this.kernel.allocPage() : this.allocPage();
      if (to === NO_PFN) return;
      folioLocks.lockNew(to);
      const from = migratePfnToPfn(migratePfnAt(src, i));
      if (from === NO_PFN) memory.zeroPages(to, 1);
      else memory.copyPages(to, from, 1);
      dst[i] = migratePfn(to, 0);
    });
  }

  private allocPage(): Pfn {
    const pfn = this.kernel.allocationFails(AllocSite.DevicePage) ? -1 : this.vram.alloc(0);
    if (pfn < 0) return NO_PFN;
    assert(this.kernel.folios.refcount(pfn as Pfn) === 0, 'the device hands out a page in use');
    this.kernel.folios.prepareNew(pfn as Pfn, 0, 1);
    return pfn as Pfn;
  }
}
