/** The part of migrate_vma that deals with large folios: whole leaves as one entry, huge holes, and splitting what cannot go as a whole. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnWith,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import { VmFlag } from '../area/vma.js';
import type { FolioSplit } from '../huge/folioSplit.js';
import {
  clearLeaf,
  isLeafAt,
  leafStart,
  readLeaf,
  splitHugePmd,
  splitRange,
  writeLeaf,
} from '../huge/hugeLeaf.js';
import { fitsHugePage, isPmdNone } from '../huge/thpArea.js';
import type { Kernel } from '../kernel.js';
import { prepareAnonVma } from '../rmap/anonVmaPrepare.js';
import type { Rmap } from '../rmap/rmap.js';
import { type Pte, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../table/pte.js';
import { isSelected, MigrateSelect, type MigrateVmaArgs } from './migrateArgs.js';

export class MigrateHuge {
  constructor(
    private readonly kernel: Kernel,
    private readonly rmap: Rmap,
    private readonly split: FolioSplit,
  ) {}

  /** Whether the span covers the whole PMD at `page`, and its caller can deal with large folios. */
  takesWhole(args: MigrateVmaArgs, page: number): boolean {
    const whole = page % PMD_PAGES === 0 && page + PMD_PAGES <= args.end;
    return whole && (args.flags & MigrateSelect.Compound) !== 0;
  }

  /** One entry for a PMD that nothing is mapped in. False if it is not that, or must go page by page. @kernel migrate_vma_collect_hole */
  collectHole(args: MigrateVmaArgs, page: number): boolean {
    if (!this.takesWhole(args, page) || !args.vma.isAnonymous || !isPmdNone(args.mm.pageTable, page))
      return false;
    this.addHole(args, page);
    return true;
  }

  private addHole(args: MigrateVmaArgs, page: number): void {
    args.src[page - args.start] = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE | MigratePfnFlag.COMPOUND);
    args.cpages++;
  }

  /**
   * Takes the leaf that covers `page` as one entry, skips it, or splits it. Returns where to go on: behind the leaf, or at `page` when there are
   * small entries now.
   * @kernel migrate_vma_collect_huge_pmd
   */
  *collectLeaf(args: MigrateVmaArgs, page: Vpn): Steps<number> {
    const { mm } = args;
    const beyond = Math.min(args.end, leafStart(page) + PMD_PAGES);
    const leaf = readLeaf(mm.pageTable, mm.pageTable.slot(leafStart(page)));
    const head = ptePfn(leaf);
    if (pteKind(leaf) === PteKind.Present && this.kernel.isZeroPage(head)) {
      if ((args.flags & MigrateSelect.System) === 0) return beyond;
      if (!this.takesWhole(args, page)) {
        yield* splitHugePmd(this.kernel, mm, page);
        return page;
      }
      this.addHole(args, page);
      return beyond;
    }
    if (!isSelected(this.kernel, args, pteKind(leaf), head)) return beyond;
    if (!this.takesWhole(args, page)) return (yield* this.splitFolio(args, head)) ? page : beyond;
    this.takeLeaf(args, page, leaf);
    return beyond;
  }

  /** Under the page-table lock. A folio that is locked, or may be pinned, is left alone. */
  takeLeaf(args: MigrateVmaArgs, page: Vpn, leaf: Pte): void {
    const { folios, folioLocks, pins } = this.kernel;
    const head = ptePfn(leaf);
    folios.get(head);
    const isFault = this.isFaultFolio(args, head);
    if (!isFault && !folioLocks.trylock(head)) {
      folios.put(head);
      return;
    }
    if (!pins.mayShare(head)) {
      if (!isFault) folioLocks.unlock(head);
      folios.put(head);
      return;
    }
    this.rmap.replaceByMigrationLeaf(args.mm, page);
    if (pteKind(leaf) === PteKind.Present) this.kernel.flushCpuTlbs();
    const write = pteHas(leaf, PteBit.Write) ? MigratePfnFlag.WRITE : 0;
    args.src[page - args.start] = migratePfn(head, MigratePfnFlag.MIGRATE | MigratePfnFlag.COMPOUND | write);
    args.cpages++;
  }

  private isFaultFolio(args: MigrateVmaArgs, pfn: Pfn): boolean {
    const { folios } = this.kernel;
    return args.faultPage !== NO_PFN && folios.headOf(args.faultPage) === folios.headOf(pfn);
  }

  /** Makes small folios of the one that `pfn` belongs to. False if somebody holds or has locked it. @kernel migrate_vma_split_folio */
  *splitFolio(args: MigrateVmaArgs, pfn: Pfn): Steps<boolean> {
    const { folios, folioLocks } = this.kernel;
    const head = folios.headOf(pfn);
    if (this.isFaultFolio(args, head)) return (yield* this.split.split(head, args.faultPage)) === Errno.OK;
    folios.get(head);
    if (!folioLocks.trylock(head)) {
      folios.put(head);
      return false;
    }
    const errno = yield* this.split.split(head);
    folioLocks.unlock(head);
    folios.put(head);
    return errno === Errno.OK;
  }

  /**
   * Of an unmapped large source, whose destination is small pages, makes one entry per page. False if somebody took a reference.
   * @kernel migrate_vma_split_unmapped_folio
   */
  *splitSource(args: MigrateVmaArgs, i: number, head: Pfn): Steps<boolean> {
    const range = splitRange(args.start + i);
    yield* args.mm.notifiers.invalidateStart(range);
    this.rmap.splitMigrationLeaves(head);
    const errno = this.split.splitUnmapped(head, this.isFaultFolio(args, head) ? 2 : 1);
    if (errno === Errno.OK) this.spreadEntry(args.src, i, head);
    yield* args.mm.notifiers.invalidateEnd(range);
    return errno === Errno.OK;
  }

  private spreadEntry(src: Uint32Array, i: number, head: Pfn): void {
    const entry = migratePfnAt(src, i);
    const flags = entry & (MigratePfnFlag.MIGRATE | MigratePfnFlag.WRITE);
    assert(i + PMD_PAGES <= src.length, 'a compound entry without room for its pages');
    for (let j = 0; j < PMD_PAGES; j++) src[i + j] = migratePfn((head + j) as Pfn, flags);
  }

  /** Of a huge hole, whose destination is small pages, makes one hole per page. */
  spreadHole(src: Uint32Array, i: number): void {
    assert(i + PMD_PAGES <= src.length, 'a compound hole without room for its pages');
    src[i] = 0;
    for (let j = 0; j < PMD_PAGES; j++)
      src[i + j] = migratePfnWith(migratePfnAt(src, i + j), MigratePfnFlag.MIGRATE);
  }

  /** Under the page-table lock: maps a fresh large folio where there was nothing, or the huge zero page. @kernel migrate_vma_insert_huge_pmd_page */
  insertLeaf(args: MigrateVmaArgs, page: Vpn, head: Pfn): boolean {
    const { mm, vma } = args;
    const { folios } = this.kernel;
    const slot = mm.pageTable.ensure(page);
    if (slot < 0 || !fitsHugePage(vma, page) || (vma.flags & VmFlag.UffdMissing) !== 0) return false;
    if (isLeafAt(mm.pageTable, page)) {
      const old = pteFromWord(mm.pageTable.read(slot));
      if (pteKind(old) !== PteKind.Present || !this.kernel.isZeroPage(ptePfn(old))) return false;
      // Nobody reads zeros any more when the first store to the new page is possible.
      clearLeaf(mm.pageTable, slot);
      this.kernel.flushCpuTlbs();
    } else if (!isPmdNone(mm.pageTable, page)) {
      return false;
    }
    folios.setMapping(head, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(page));
    folios.setFlag(head, FolioFlag.AnonExclusive);
    folios.get(head);
    folios.addEntireRmap(head);
    writeLeaf(mm.pageTable, slot, this.rmap.freshEntry(vma, head, PteBit.Huge));
    return true;
  }
}
