/** migrate_vma: collects the pages of a span of one area, lets the caller copy them, and maps the copies. */

import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import type { RadixTable } from '../../memory/radixTable.js';
import type { Zone } from '../../memory/zone.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import { FolioSplit } from '../huge/folioSplit.js';
import { isLeafAt, splitHugePmd } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import { type NotifierRange, NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import { prepareAnonVma, vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
import type { Rmap } from '../rmap/rmap.js';
import {
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../table/pte.js';
import { isSelected, MigrateSelect, type MigrateVmaArgs } from './migrateArgs.js';
import { MigrateHuge } from './migrateHuge.js';
import { type AreaActions, MigrateStep, type MigrateUnmap } from './migrateUnmap.js';

export { MigrateSelect, type MigrateVmaArgs };

/** The one invalidation that covers all holes that a call fills; raised at the first of them. */
interface HoleNotice {
  range: NotifierRange | null;
}

export class MigrateVma {
  private readonly huge: MigrateHuge;

  constructor(
    private readonly kernel: Kernel,
    private readonly unmapper: MigrateUnmap,
    private readonly rmap: Rmap,
  ) {
    this.huge = new MigrateHuge(kernel, rmap, new FolioSplit(kernel, rmap));
  }

  /**
   * Fills `src`: pages that are locked, unmapped everywhere and held by nobody else, and holes that can be filled. mmap_lock is held for
   * read until finalize. Pages that cannot move are left alone with entry 0. Error: -EINVAL for arguments that make no sense.
   * @kernel migrate_vma_setup
   */
  *setup(args: MigrateVmaArgs): Steps<Errno> {
    args.mm.mmapLock.assertHeld();
    if (!this.argumentsAreValid(args)) return Errno.EINVAL;
    const npages = args.end - args.start;
    args.src.fill(0, 0, npages);
    args.cpages = 0;
    const range = notifierRange(NotifyEvent.Migrate, args.start, args.end, args.pgmapOwner);
    yield* args.mm.notifiers.invalidateStart(range);
    yield* this.collect(args);
    if (args.mm.notifiers.reachEnd(range)) yield STEP;
    args.mm.notifiers.endInvalidation();
    if (args.cpages > 0) yield* this.unmap(args, npages);
    return Errno.OK;
  }

  /** Gives what was collected its destination's identity. Afterwards a cleared MIGRATE says that the page did not move. @kernel migrate_vma_pages */
  *pages(args: MigrateVmaArgs): Steps<void> {
    const hole: HoleNotice = { range: null };
    const actions: AreaActions = {
      insertHole: (i, page) => this.insertHole(args, i, page, hole),
      splitSource: (i, head) => this.huge.splitSource(args, i, head),
      spreadHole: (i) => this.huge.spreadHole(args.src, i),
    };
    yield* this.unmapper.movePages(args.src, args.dst, args.end - args.start, args.faultPage, actions);
    if (hole.range !== null) yield* args.mm.notifiers.invalidateEnd(hole.range);
  }

  /** Maps, unlocks and lets go of everything. @kernel migrate_vma_finalize */
  *finalize(args: MigrateVmaArgs): Steps<void> {
    const npages = args.end - args.start;
    yield* this.unmapper.finalize(args.src, args.dst, npages, args.faultPage);
    const { sched, costs } = this.kernel;
    if (sched.modelsTime) yield* sched.spend(args.cpages * costs.migratePageNs);
  }

  /** Whether the span lies in an area that can migrate, and the fault page is a locked device page. */
  argumentsAreValid(args: MigrateVmaArgs): boolean {
    const { vma, start, end, faultPage } = args;
    if (vma.isSpecial) return false;
    if (start >= end || start < vma.start || end > vma.end) return false;
    if (args.src.length < end - start || args.dst.length < end - start) return false;
    if (faultPage === NO_PFN) return true;
    return this.kernel.memory.layout.isDevicePrivate(faultPage) && this.kernel.folios.isLocked(faultPage);
  }

  /** Page-table leaf by leaf, or at the run's grain; each part is atomic and flushes the CPU TLBs before others run. @kernel migrate_vma_collect */
  private *collect(args: MigrateVmaArgs): Steps<void> {
    const { sched, pagesPerStep } = this.kernel;
    const grain = Math.min(PMD_PAGES, pagesPerStep);
    let page: number = args.start;
    while (page < args.end) {
      const from = page;
      if (isLeafAt(args.mm.pageTable, page)) {
        page = yield* this.huge.collectLeaf(args, page as Vpn);
      } else if (this.huge.collectHole(args, page)) {
        page += PMD_PAGES;
      } else {
        page = yield* this.collectSmall(args, page, Math.min(args.end, page - (page % grain) + grain));
      }
      if (sched.reach(MigrateStep.collect, from, page - from, args.mm.id)) yield STEP;
    }
  }

  /** Returns where to go on. A page of a large folio ends the walk until the folio is split; if that fails, the rest of the PMD is left alone. */
  private *collectSmall(args: MigrateVmaArgs, start: number, end: number): Steps<number> {
    const reached = this.collectTable(args, start, end);
    if (reached === end) return end;
    const pfn = ptePfn(pteFromWord(args.mm.pageTable.get(reached)));
    if (yield* this.huge.splitFolio(args, pfn)) return reached;
    return Math.min(args.end, reached - (reached % PMD_PAGES) + PMD_PAGES);
  }

  /** Under the page-table lock. Returns the first page of a large folio that is wanted, or `end`. @kernel migrate_vma_collect_pmd */
  collectTable(args: MigrateVmaArgs, start: number, end: number): number {
    const table = args.mm.pageTable;
    const { folios, memory } = this.kernel;
    const slot = table.slot(start);
    let unmapped = false;
    let page = start;
    // Neighbours mostly lie in the same zone and are mapped alike, so what was decided for one holds for the next.
    let zone: Zone | null = null;
    let kindThere: PteKind = PteKind.None;
    let selected = false;
    for (; page < end; page++) {
      const pte = pteFromWord(slot < 0 ? 0 : table.read(slot + page - start));
      if (!pteIsMapping(pte) || ptePfn(pte) === this.kernel.zeroPage) {
        this.collectUnmapped(args, page - args.start, pteKind(pte));
        continue;
      }
      const pfn = ptePfn(pte);
      const here = memory.layout.zoneOf(pfn);
      if (here !== zone || pteKind(pte) !== kindThere) {
        zone = here;
        kindThere = pteKind(pte);
        selected = isSelected(this.kernel, args, kindThere, pfn);
      }
      if (!selected) continue;
      if (folios.isLarge(pfn)) break;
      if (this.collectPage(args, page - args.start, table, slot + page - start, pte)) unmapped = true;
    }
    if (unmapped) this.flushCollected(args, start);
    return page;
  }

  /**
   * Before the page-table lock goes: no CPU may store through a translation that it read before. The kernel holds that lock for a whole leaf table
   * and flushes once for it, whatever the run's grain, so one flush of each is paid for.
   */
  flushCollected(args: MigrateVmaArgs, page: number): void {
    const table = Math.floor(page / PMD_PAGES);
    if (args.flushedTable === table) this.kernel.flushGatheredTlbs();
    else this.kernel.flushCpuTlbs();
    args.flushedTable = table;
  }

  /** An entry that maps nothing, or the zero page; `kind` is `Present` for the latter. */
  collectUnmapped(args: MigrateVmaArgs, i: number, kind: PteKind): void {
    if (kind === PteKind.None) {
      if (args.vma.isAnonymous) this.collectHole(args, i);
    } else if (kind === PteKind.Present && (args.flags & MigrateSelect.System) !== 0) {
      this.collectHole(args, i);
    }
  }

  /** Whatever was selected, a hole of an anonymous area counts: a fresh page can be put there. */
  collectHole(args: MigrateVmaArgs, i: number): void {
    args.src[i] = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE);
    args.cpages++;
  }

  /** A page that somebody has locked is skipped: waiting here could deadlock. Returns whether CPUs may have what was taken in their TLBs. */
  collectPage(args: MigrateVmaArgs, i: number, table: RadixTable, slot: number, pte: Pte): boolean {
    const { folios, folioLocks } = this.kernel;
    const pfn = ptePfn(pte);
    if (!this.kernel.pins.mayShare(pfn)) return false;
    folios.get(pfn);
    if (pfn !== args.faultPage && !folioLocks.trylock(pfn)) {
      folios.put(pfn);
      return false;
    }
    const writable = pteHas(pte, PteBit.Write);
    this.rmap.replaceByMigrationEntryAt(table, slot, pte);
    args.src[i] = migratePfn(pfn, MigratePfnFlag.MIGRATE | (writable ? MigratePfnFlag.WRITE : 0));
    args.cpages++;
    return pteKind(pte) === PteKind.Present;
  }

  /** cpages becomes holes plus the pages that can really move. */
  private *unmap(args: MigrateVmaArgs, npages: number): Steps<void> {
    let holes = 0;
    for (let i = 0; i < npages; ) {
      const entry = migratePfnAt(args.src, i);
      if ((entry & MigratePfnFlag.MIGRATE) !== 0 && migratePfnToPfn(entry) === NO_PFN) holes++;
      i += (entry & MigratePfnFlag.COMPOUND) !== 0 ? PMD_PAGES : 1;
    }
    args.cpages = holes + (yield* this.unmapper.unmap(args.src, npages, args.faultPage));
  }

  /**
   * Maps a fresh page where there was none, if there still is none. One MIGRATE invalidation covers all holes of the call, from the first on.
   * @kernel migrate_vma_insert_page
   */
  *insertHole(args: MigrateVmaArgs, i: number, pfn: Pfn, hole: HoleNotice): Steps<boolean> {
    const { mm, vma } = args;
    const page = (args.start + i) as Vpn;
    if (hole.range === null) {
      hole.range = notifierRange(NotifyEvent.Migrate, page, args.end, args.pgmapOwner);
      yield* mm.notifiers.invalidateStart(hole.range);
    }
    if (!vma.isAnonymous || (vma.flags & VmFlag.UffdMissing) !== 0) return false;
    if (this.kernel.folios.isLarge(pfn)) {
      if (!vmfAnonPrepare(this.kernel, mm, vma) || !this.huge.insertLeaf(args, page, pfn)) return false;
      args.src[i] = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE);
      return true;
    }
    if (this.isHugeZeroAt(mm, page)) yield* splitHugePmd(this.kernel, mm, page);
    const slot = mm.pageTable.ensure(page);
    if (slot < 0 || !vmfAnonPrepare(this.kernel, mm, vma)) return false;
    const old = pteFromWord(mm.pageTable.read(slot));
    const isZeroPage = pteKind(old) === PteKind.Present && ptePfn(old) === this.kernel.zeroPage;
    if (pteKind(old) !== PteKind.None && !isZeroPage) return false;
    if (isZeroPage) {
      // Nobody reads zeros any more when the first store to the new page is possible.
      mm.pageTable.write(slot, PTE_NONE);
      this.kernel.flushCpuTlbs();
    }
    this.mapFresh(mm, vma, page, pfn, slot);
    return true;
  }

  private isHugeZeroAt(mm: Mm, page: Vpn): boolean {
    const pte = pteFromWord(mm.pageTable.get(page));
    return pteIsHuge(pte) && pteKind(pte) === PteKind.Present && this.kernel.isZeroPage(ptePfn(pte));
  }

  /** Under the page-table lock. @kernel migrate_vma_insert_page */
  mapFresh(mm: Mm, vma: Vma, page: Vpn, pfn: Pfn, slot: number): void {
    const { folios } = this.kernel;
    folios.setMapping(pfn, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(page));
    folios.setFlag(pfn, FolioFlag.AnonExclusive);
    folios.get(pfn);
    folios.addRmap(pfn);
    mm.pageTable.write(slot, this.rmap.freshEntry(vma, pfn, 0));
    this.kernel.sched.at(MigrateStep.filled, page, pfn, mm.id);
  }
}
