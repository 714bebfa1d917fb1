/** migrate_vma: collects the pages of a span of one area, lets the caller copy them, and maps the copies. */

import { Errno } from '../base/errno.js';
import { PMD_PAGES, type Vpn } from '../base/units.js';
import { FolioFlag } from '../memory/folios.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../memory/pfn.js';
import { ZoneKind } from '../memory/zone.js';
import { STEP, type Steps } from '../sim/steps.js';
import { anonVmaFails, prepareAnonVma } from './anonVmaPrepare.js';
import { NO_OWNER, type PagemapOwner } from './devPagemap.js';
import type { Kernel } from './kernel.js';
import { MigrateStep, type MigrateUnmap } from './migrateUnmap.js';
import type { Mm } from './mm.js';
import { type NotifierRange, NotifyEvent, notifierRange } from './mmuNotifier.js';
import { PTE_NONE, type Pte, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from './pte.js';
import type { Rmap } from './rmap.js';
import { type Vma, VmFlag } from './vma.js';

/** @kernel migrate_vma_direction */
export const MigrateSelect = {
  System: 1,
  DevicePrivate: 2,
  DeviceCoherent: 4,
} as const;

/** The one invalidation that covers all holes that a call fills; raised at the first of them. */
interface HoleNotice {
  range: NotifierRange | null;
}

/** @kernel migrate_vma */
export interface MigrateVmaArgs {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  /** Filled by setup. */
  readonly src: Uint32Array;
  /** Zeroed and filled by the caller between setup and pages. */
  readonly dst: Uint32Array;
  /** Of `MigrateSelect`. */
  readonly flags: number;
  readonly pgmapOwner: PagemapOwner;
  /** The locked device page of the CPU fault that this serves, or NO_PFN. */
  readonly faultPage: Pfn;
  /** Entries collected; after setup those that can be migrated. */
  cpages: number;
}

export class MigrateVma {
  constructor(
    private readonly kernel: Kernel,
    private readonly unmapper: MigrateUnmap,
    private readonly rmap: Rmap,
  ) {}

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
    yield* args.mm.notifiers.invalidateEnd(range);
    if (args.cpages > 0) yield* this.unmap(args, npages);
    return Errno.OK;
  }

  /** Gives what was collected its destination's identity. Afterwards a cleared MIGRATE says that the page did not move. @kernel migrate_vma_pages */
  *pages(args: MigrateVmaArgs): Steps<void> {
    const hole: HoleNotice = { range: null };
    const insert = (i: number, page: Pfn): Steps<boolean> => this.insertHole(args, i, page, hole);
    yield* this.unmapper.movePages(args.src, args.dst, args.end - args.start, args.faultPage, insert);
    if (hole.range !== null) yield* args.mm.notifiers.invalidateEnd(hole.range);
  }

  /** Maps, unlocks and lets go of everything. @kernel migrate_vma_finalize */
  *finalize(args: MigrateVmaArgs): Steps<void> {
    const npages = args.end - args.start;
    yield* this.unmapper.finalize(args.src, args.dst, npages, args.faultPage);
    yield* this.kernel.sched.spend(args.cpages * this.kernel.costs.migratePageNs);
  }

  private argumentsAreValid(args: MigrateVmaArgs): boolean {
    const { vma, start, end, faultPage } = args;
    if (vma.isSpecial || (vma.flags & VmFlag.Hugetlb) !== 0) return false;
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
      const end = Math.min(args.end, page - (page % grain) + grain);
      if (this.collectLeaf(args, page, end)) this.kernel.flushCpuTlbs();
      if (sched.reach(MigrateStep.collect, page, end - page, args.mm.id)) yield STEP;
      page = end;
    }
  }

  /** @kernel migrate_vma_collect_pmd */
  private collectLeaf(args: MigrateVmaArgs, start: number, end: number): boolean {
    const table = args.mm.pageTable;
    const slot = table.slot(start);
    let unmapped = false;
    for (let page = start; page < end; page++) {
      const pte = pteFromWord(slot < 0 ? 0 : table.read(slot + page - start));
      if (this.collectEntry(args, page as Vpn, pte)) unmapped = true;
    }
    return unmapped;
  }

  /** Returns whether the entry was changed. */
  private collectEntry(args: MigrateVmaArgs, page: Vpn, pte: Pte): boolean {
    const i = page - args.start;
    const kind = pteKind(pte);
    if (kind === PteKind.None) {
      if (args.vma.isAnonymous) this.collectHole(args, i);
      return false;
    }
    if (kind === PteKind.Present && ptePfn(pte) === this.kernel.zeroPage) {
      if ((args.flags & MigrateSelect.System) !== 0) this.collectHole(args, i);
      return false;
    }
    if (!this.isSelected(args, kind, ptePfn(pte))) return false;
    return this.collectPage(args, page, i, pte);
  }

  /** Whatever was selected, a hole of an anonymous area counts: a fresh page can be put there. */
  private collectHole(args: MigrateVmaArgs, i: number): void {
    args.src[i] = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE);
    args.cpages++;
  }

  private isSelected(args: MigrateVmaArgs, kind: PteKind, pfn: Pfn): boolean {
    if (kind === PteKind.DevicePrivate) {
      return (args.flags & MigrateSelect.DevicePrivate) !== 0 && this.isOwn(args, pfn);
    }
    if (kind !== PteKind.Present) return false;
    const isRam = this.kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.System;
    if (isRam) return (args.flags & MigrateSelect.System) !== 0;
    return (args.flags & MigrateSelect.DeviceCoherent) !== 0 && this.isOwn(args, pfn);
  }

  private isOwn(args: MigrateVmaArgs, pfn: Pfn): boolean {
    const owner = this.kernel.pagemapOf(pfn)?.owner ?? NO_OWNER;
    return owner !== NO_OWNER && owner === args.pgmapOwner;
  }

  /** A page that somebody has locked is skipped: waiting here could deadlock. */
  private collectPage(args: MigrateVmaArgs, page: Vpn, i: number, pte: Pte): boolean {
    const { folios, folioLocks } = this.kernel;
    const pfn = ptePfn(pte);
    if (!this.kernel.pins.mayShare(pfn)) return false;
    folios.get(pfn);
    if (pfn !== args.faultPage && !folioLocks.trylock(pfn)) {
      folios.put(pfn);
      return false;
    }
    const writable = pteHas(pte, PteBit.Write);
    this.rmap.replaceByMigrationEntry(args.mm, page);
    args.src[i] = migratePfn(pfn, MigratePfnFlag.MIGRATE | (writable ? MigratePfnFlag.WRITE : 0));
    args.cpages++;
    return true;
  }

  /** cpages becomes holes plus the pages that can really move. */
  private *unmap(args: MigrateVmaArgs, npages: number): Steps<void> {
    let holes = 0;
    for (let i = 0; i < npages; i++) {
      const entry = migratePfnAt(args.src, i);
      if ((entry & MigratePfnFlag.MIGRATE) !== 0 && migratePfnToPfn(entry) === NO_PFN) holes++;
    }
    args.cpages = holes + (yield* this.unmapper.unmap(args.src, npages, args.faultPage));
  }

  /**
   * Maps a fresh page where there was none, if there still is none. One MIGRATE invalidation covers all holes of the call, from the first on.
   * @kernel migrate_vma_insert_page
   */
  private *insertHole(args: MigrateVmaArgs, i: number, pfn: Pfn, hole: HoleNotice): Steps<boolean> {
    const { mm, vma } = args;
    const page = (args.start + i) as Vpn;
    if (hole.range === null) {
      hole.range = notifierRange(NotifyEvent.Migrate, page, args.end, args.pgmapOwner);
      yield* mm.notifiers.invalidateStart(hole.range);
    }
    const slot = mm.pageTable.ensure(page);
    if (slot < 0 || !vma.isAnonymous || (vma.flags & VmFlag.UffdMissing) !== 0) return false;
    if (anonVmaFails(this.kernel, vma)) return false;
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

  private mapFresh(mm: Mm, vma: Vma, page: Vpn, pfn: Pfn, slot: number): void {
    const { folios } = this.kernel;
    folios.setMapping(pfn, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(page));
    folios.setFlag(pfn, FolioFlag.AnonExclusive);
    folios.get(pfn);
    folios.addRmap(pfn);
    const carried = PteBit.Young | (vma.isWritable ? PteBit.Dirty : 0);
    mm.pageTable.write(slot, this.rmap.mappingEntry(vma, pfn, vma.isWritable, carried));
  }
}
