/** The migrations of a mirror device: a span to its memory, a span home, and the page of a CPU fault home. */

import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { MigratePfnFlag, migratePfnAt, NO_PFN, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { Vma } from '../../mm/area/vma.js';
import { isLeafAt, leafStart } from '../../mm/huge/hugeLeaf.js';
import { isPmdNone, wantsHugePage } from '../../mm/huge/thpArea.js';
import type { DeviceFault } from '../../mm/migrate/devPagemap.js';
import { type MigrateVmaArgs, migrateVmaArgs } from '../../mm/migrate/migrateArgs.js';
import { MigrateSelect, type MigrateVma } from '../../mm/migrate/migrateVma.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import { MigrationWatch } from './migrationWatch.js';
import type { MirrorAccess } from './mirrorAccess.js';
import type { MirrorContext } from './mirrorContext.js';
import { copyToDevice, copyToSystem, forgetUnmoved, mapMigrated, pagesOf } from './mirrorCopy.js';
import { PIECE_PAGES } from './mirrorFault.js';
import { type MirrorResult, mirrorResult, type PageSink } from './mirrorResult.js';
import type { MmUsers } from './mmUsers.js';

/** Migrates one piece of one area; returns how many pages moved, or why the command ends. */
export type MigratePiece = (vma: Vma, start: Vpn, end: Vpn) => Steps<number | Errno>;

export class MirrorMigrate {
  constructor(
    private readonly migrateVma: MigrateVma,
    private readonly access: MirrorAccess,
    private readonly users: MmUsers,
  ) {}

  /**
   * Moves what lies in RAM, and holes, to the device, then reads the span back through the device page table. Errors: -EINVAL (no area, or
   * no read access, somewhere; what came before it has moved), -ENOENT (a page is not on the device).
   * @kernel dmirror_migrate_to_device
   */
  *toDevice(context: MirrorContext, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const piece: MigratePiece = (vma, from, to) => this.pieceToDevice(context, vma, from, to);
    const moved = yield* this.forEachPiece(context, start, npages, piece);
    if (moved < 0) return mirrorResult(moved as Errno);
    return yield* this.access.readBack(context, start, npages, sink);
  }

  /** Moves the device's own pages home; counts only those that moved. Error: -EINVAL as above. @kernel dmirror_migrate_to_system */
  *toSystem(context: MirrorContext, start: Vpn, npages: number): Steps<MirrorResult> {
    const piece: MigratePiece = (vma, from, to) => this.pieceToSystem(context, vma, from, to);
    const moved = yield* this.forEachPiece(context, start, npages, piece);
    return moved < 0 ? mirrorResult(moved as Errno) : mirrorResult(Errno.OK, moved);
  }

  /**
   * `context` is the one that brought the page to the device. A folio that a leaf maps comes as a whole. Errors: -EINVAL, -ENOMEM; the page
   * stays then.
   * @kernel dmirror_devmem_fault
   */
  *cpuFault(context: MirrorContext, { mm, vma, page, pfn }: DeviceFault): Steps<Errno> {
    const whole = isLeafAt(mm.pageTable, page);
    const start = whole ? leafStart(page) : page;
    const end = (start + (whole ? PMD_PAGES : 1)) as Vpn;
    const args = makeArgs(context, mm, vma, start, end, selectOwn(context), pfn);
    const setupErrno = yield* this.migrateVma.setup(args);
    if (setupErrno !== Errno.OK) return setupErrno;
    const errno = copyToSystem(context, args);
    yield* this.migrateVma.pages(args);
    forgetUnmoved(context, args);
    yield* this.migrateVma.finalize(args);
    return errno;
  }

  /** Area by area, at most a piece at once, under mmap_lock; the sum of what the pieces return, or the first error. */
  *forEachPiece(
    context: MirrorContext,
    start: Vpn,
    npages: number,
    migrate: MigratePiece,
  ): Steps<number | Errno> {
    const { mm } = context;
    if (!mm.getNotZero()) return Errno.EINVAL;
    const end = start + npages;
    let total = 0;
    yield* mm.mmapLock.read();
    for (let at: number = start; at < end; ) {
      const vma = mm.vmas.find(at as Vpn);
      const pieceEnd = vma === null ? at : endOfPiece(context, vma, at, end);
      const moved = vma?.isReadable ? yield* migrate(vma, at as Vpn, pieceEnd as Vpn) : Errno.EINVAL;
      total = moved < 0 ? moved : total + moved;
      at = moved < 0 ? end : pieceEnd;
    }
    mm.mmapLock.readUnlock();
    yield* this.users.mmput(mm);
    return total;
  }

  /** What is invalidated from the first look at the pages on, until they are in the device page table, does not get there. */
  private *pieceToDevice(context: MirrorContext, vma: Vma, start: Vpn, end: Vpn): Steps<number | Errno> {
    const { mm, device } = context;
    const args = makeArgs(context, mm, vma, start, end, MigrateSelect.System, NO_PFN);
    // An invalidation that has told the mirror already, but has not emptied its entries yet, would go unnoticed.
    yield* mm.notifiers.readBegin(context.notifier);
    const watch = new MigrationWatch(start, end, device.kernel.sched.self);
    context.migrations.add(watch);
    const errno = yield* this.migrateVma.setup(args);
    if (errno === Errno.OK) yield* this.copyAndMap(context, args, watch);
    context.migrations.delete(watch);
    if (errno !== Errno.OK) return errno;
    yield* this.migrateVma.finalize(args);
    return countMoved(args);
  }

  private *copyAndMap(context: MirrorContext, args: MigrateVmaArgs, watch: MigrationWatch): Steps<void> {
    copyToDevice(context, args);
    yield* this.migrateVma.pages(args);
    forgetUnmoved(context, args);
    yield* context.mutex.lock();
    mapMigrated(context, args, watch);
    context.mutex.unlock();
  }

  private *pieceToSystem(context: MirrorContext, vma: Vma, start: Vpn, end: Vpn): Steps<number | Errno> {
    const args = makeArgs(context, context.mm, vma, start, end, selectOwn(context), NO_PFN);
    const errno = yield* this.migrateVma.setup(args);
    if (errno !== Errno.OK) return errno;
    copyToSystem(context, args);
    yield* this.migrateVma.pages(args);
    forgetUnmoved(context, args);
    const moved = countMoved(args);
    yield* this.migrateVma.finalize(args);
    return moved;
  }
}

/** A PMD that holds a huge page, or would get one at its first touch, is a piece of its own; elsewhere pieces are small. */
function endOfPiece({ device, mm }: MirrorContext, vma: Vma, at: number, end: number): number {
  const limit = Math.min(end, vma.end);
  const isWhole = at % PMD_PAGES === 0 && at + PMD_PAGES <= limit;
  const isHuge =
    isWhole &&
    (isLeafAt(mm.pageTable, at) || (wantsHugePage(device.kernel, vma, at) && isPmdNone(mm.pageTable, at)));
  return isHuge ? at + PMD_PAGES : Math.min(limit, at + PIECE_PAGES);
}

function makeArgs(
  context: MirrorContext,
  mm: Mm,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  flags: number,
  faultPage: Pfn,
): MigrateVmaArgs {
  const compound = end - start === PMD_PAGES ? MigrateSelect.Compound : 0;
  const select = { flags: flags | compound, pgmapOwner: context.device.pagemap.owner };
  return migrateVmaArgs(mm, vma, { start, end }, select, faultPage);
}

/** @kernel dmirror_select_device */
function selectOwn(context: MirrorContext): number {
  return context.device.zone.kind === ZoneKind.DevicePrivate
    ? MigrateSelect.DevicePrivate
    : MigrateSelect.DeviceCoherent;
}

/** Pages, not holes, that have moved. @kernel dmirror_successful_migrated_pages */
function countMoved({ src, dst, start, end }: MigrateVmaArgs): number {
  const wanted = MigratePfnFlag.VALID | MigratePfnFlag.MIGRATE;
  let moved = 0;
  for (let i = 0; i < end - start; i++) {
    if ((migratePfnAt(src, i) & wanted) === wanted) moved += pagesOf(migratePfnAt(dst, i));
  }
  return moved;
}
