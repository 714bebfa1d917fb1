/** The reverse map: from a page to the entries that map it, and their replacement by migration entries and back. */

import { assert } from '../../base/assert.js';
import type { IntervalTree } from '../../base/intervalTree.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import type { RadixTable } from '../../memory/radixTable.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { MappingArea } from '../file/addressSpace.js';
import {
  isLeafAt,
  leafStart,
  readLeaf,
  replaceLeaf,
  splitLeaf,
  splitRange,
  writeLeaf,
} from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import { type NotifierRange, NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import {
  hardwareMayMark,
  makePte,
  PTE_WRITTEN,
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

export const RmapStep = {
  tryToMigrate: defineStep('rmap.tryToMigrate', 'vpn', 'pfn', 'id'),
} as const;

/** Where an area may map pages of a folio, which its entries say: `[start, end)`, which begins with page `first` of the folio. */
export interface Mapping {
  readonly mm: Mm;
  readonly start: Vpn;
  readonly end: Vpn;
  readonly first: number;
}

/** Bits that an entry carries through a migration. */
const CARRIED = PteBit.Young | PteBit.Dirty | PteBit.SoftDirty | PteBit.UffdWp;
/** What hardware marks in entries that it walks. */
const MARKS = PteBit.Young | PteBit.Dirty;

export class Rmap {
  constructor(private readonly kernel: Kernel) {}

  /**
   * Replaces every entry that maps a page of the locked folio by a migration entry, in each mm inside one CLEAR invalidation of what an area
   * may map of it, after one of its own for a leaf that is split. It ends with the last mapping: mirrors of the areas after that hear nothing. PMD leaves become migration leaves, or with
   * `splitLeaves` entries per page. Entries that cannot be replaced stay; the caller looks at the mapcount.
   * @kernel try_to_migrate
   */
  *tryToMigrate(pfn: Pfn, splitLeaves = false): Steps<void> {
    const { folios, sched } = this.kernel;
    assert(folios.isLocked(pfn), 'a page that is unmapped for migration must be locked');
    const head = folios.headOf(pfn);
    for (const mapping of this.mappings(head)) {
      const { mm, start } = mapping;
      if (folios.mapcount(head) > 0) {
        if (splitLeaves) yield* this.splitAndUnmap(mapping, head);
        const range = this.invalidationOf(mapping);
        yield* mm.notifiers.invalidateStart(range);
        if (this.unmapFolio(mapping, head)) this.kernel.flushCpuTlbs();
        if (sched.reach(RmapStep.tryToMigrate, start, head, mm.id)) yield STEP;
        yield* mm.notifiers.invalidateEnd(range);
      }
      mm.drop();
    }
  }

  /** All pages of the folio that the mapping may map. @kernel vma_address_end */
  invalidationOf({ start, end }: Mapping): NotifierRange {
    return notifierRange(NotifyEvent.Clear, start, end);
  }

  /**
   * The leaf is split inside a CLEAR invalidation of its own, and its pages are unmapped there; the invalidation comes also where entries of
   * single pages map the folio already. @kernel split_huge_pmd_address (freeze)
   */
  private *splitAndUnmap(mapping: Mapping, head: Pfn): Steps<void> {
    const { mm, start } = mapping;
    if (mm.pageTable.slot(start) < 0) return;
    const range = splitRange(start);
    yield* mm.notifiers.invalidateStart(range);
    if (this.leafMaps(mm, start, head)) {
      splitLeaf(this.kernel, mm, start);
      if (this.unmapFolio(mapping, head)) this.kernel.flushCpuTlbs();
    }
    yield* mm.notifiers.invalidateEnd(range);
  }

  /** Under the page-table lock. Returns whether CPUs may have what was replaced in their TLBs. @kernel try_to_migrate_one */
  unmapFolio(mapping: Mapping, head: Pfn): boolean {
    const { mm, start, end, first } = mapping;
    if (this.leafMaps(mm, start, head)) {
      if (!this.kernel.pins.mayShare(head)) return false;
      return pteKind(this.replaceByMigrationLeaf(mm, start)) === PteKind.Present;
    }
    let wasPresent = false;
    if (this.endsAtLeaf(mapping)) return wasPresent;
    for (let page = start; page < end; page++) {
      const pfn = (head + first + page - start) as Pfn;
      if (!this.mapsPage(mm, page, pfn) || !this.kernel.pins.mayShare(pfn)) continue;
      const kind = pteKind(this.replaceByMigrationEntry(mm, page));
      if (kind === PteKind.Present) wasPresent = true;
      // On x86-64 the bits of such an entry read as dirty, and 6.12 looks at them here.
      if (kind === PteKind.DevicePrivate) this.kernel.folios.setFlag(pfn, FolioFlag.Dirty);
    }
    return wasPresent;
  }

  /**
   * Whether the search for single entries ends where it begins, at a leaf. If that is another folio's, what lies across two PMDs stays mapped in
   * the second. @kernel page_vma_mapped_walk
   */
  endsAtLeaf({ mm, start }: Mapping): boolean {
    return isLeafAt(mm.pageTable, start);
  }

  private leafMaps(mm: Mm, page: Vpn, head: Pfn): boolean {
    const pte = pteFromWord(mm.pageTable.get(page));
    return pteIsHuge(pte) && pteIsMapping(pte) && this.kernel.folios.headOf(ptePfn(pte)) === head;
  }

  /** The same as {@link replaceByMigrationEntry} for the leaf that covers `page`. @kernel set_pmd_migration_entry */
  replaceByMigrationLeaf(mm: Mm, page: Vpn): Pte {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(leafStart(page));
    const old = readLeaf(mm.pageTable, slot);
    const head = ptePfn(old);
    const exclusive = folios.testFlag(head, FolioFlag.AnonExclusive);
    if (exclusive) folios.clearFlag(head, FolioFlag.AnonExclusive);
    const access = pteHas(old, PteBit.Write) ? PteBit.Write : exclusive ? PteBit.Exclusive : 0;
    const last = replaceLeaf(
      mm.pageTable,
      slot,
      makePte(PteKind.Migration, head, PteBit.Huge | access | (old & CARRIED)),
    );
    if (pteHas(last, PteBit.Dirty)) folios.setFlag(head, FolioFlag.Dirty);
    folios.removeEntireRmap(head);
    folios.put(head);
    return last;
  }

  /**
   * Under the page-table lock: turns a mapping entry into a migration entry. The entry's reference goes; the caller holds its own, and
   * flushes the CPU TLBs before it lets go of the page-table lock.
   */
  replaceByMigrationEntry(mm: Mm, page: Vpn): Pte {
    const slot = mm.pageTable.slot(page);
    return this.replaceByMigrationEntryAt(mm.pageTable, slot, pteFromWord(mm.pageTable.read(slot)));
  }

  /** The same for the entry at a slot of the table, which was read as `old` in this atomic section. */
  replaceByMigrationEntryAt(table: RadixTable, slot: number, old: Pte): Pte {
    const { folios } = this.kernel;
    const pfn = ptePfn(old);
    const exclusive = folios.testFlag(pfn, FolioFlag.AnonExclusive);
    if (exclusive) folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    const access = pteHas(old, PteBit.Write) ? PteBit.Write : exclusive ? PteBit.Exclusive : 0;
    const entry = makePte(PteKind.Migration, pfn, access | (old & CARRIED));
    let last = old;
    if (hardwareMayMark(old)) {
      // Young and dirty may be set until the exchange; what was set last counts.
      last = pteFromWord(table.exchange(slot, entry));
      if ((last & CARRIED) !== (old & CARRIED)) table.write(slot, entry | (last & CARRIED));
    } else {
      table.writeBeforeFlush(slot, entry);
    }
    if (pteHas(last, PteBit.Dirty)) folios.setFlag(pfn, FolioFlag.Dirty);
    folios.removeRmap(pfn);
    folios.put(pfn);
    return last;
  }

  /**
   * Makes every migration entry of `from` a mapping of `to`, which is locked; the two are the same page when a migration failed. Of `npages`
   * pages from there on, which are those of the folio, or of a large one that has been split.
   * @kernel remove_migration_ptes
   */
  removeMigrationPtes(from: Pfn, to: Pfn, npages = this.kernel.folios.npages(to)): void {
    const areas = this.areasOf(to);
    if (areas === null) return;
    const index = this.kernel.folios.index(to);
    let node = areas.firstOverlap(index, index + npages);
    // Most memory is in one area of one process, which need not be looked for again.
    const isOnly = areas.size === 1;
    while (node !== null) {
      this.restoreIn(node.value, index, from, to, npages);
      node = isOnly ? null : areas.nextOverlap(node, index, index + npages);
    }
  }

  /** The part of it that lies in one area. Another folio may have got a leaf there meanwhile: what lies beside it is restored all the same. */
  private restoreIn({ mm, vma }: MappingArea, index: number, from: Pfn, to: Pfn, npages: number): void {
    const first = Math.max(0, vma.pgoff - index);
    const last = Math.min(npages, vma.pgoff + vma.pages - index);
    const start = vma.start + (index + first - vma.pgoff);
    const table = mm.pageTable;
    if (npages > 1 && this.restoreLeaf(mm, vma, start as Vpn, from, to)) return;
    for (let i = first; i < last; i++) {
      const slot = table.slot(start + i - first);
      if (slot >= 0) this.restoreEntry(table, slot, vma, (from + i) as Pfn, (to + i) as Pfn);
    }
  }

  /** Makes the migration leaves of a folio that is about to be split entries per page. Atomic. */
  splitMigrationLeaves(head: Pfn): void {
    const index = this.kernel.folios.index(head);
    const areas = this.areasOf(head);
    let node = areas?.firstOverlap(index, index + PMD_PAGES) ?? null;
    for (; node !== null; node = areas?.nextOverlap(node, index, index + PMD_PAGES) ?? null) {
      const { mm, vma } = node.value;
      const page = vma.addressOfIndex(index);
      if (page < 0 || !isLeafAt(mm.pageTable, page)) continue;
      const entry = pteFromWord(mm.pageTable.get(page));
      if (pteKind(entry) === PteKind.Migration && ptePfn(entry) === head) splitLeaf(this.kernel, mm, page);
    }
  }

  /**
   * Of a large folio of RAM that has been split: entries of pages that nobody ever stored to, or only zeros, read the zero page from now on, and
   * such a page loses its mappings. Locked memory keeps its pages, and all memory those of a folio that is wholly locked somewhere. Atomic.
   * @kernel try_to_map_unused_to_zeropage
   */
  mapUnusedToZeroPage(head: Pfn, npages: number): void {
    const { folios, memory } = this.kernel;
    const areas = this.areasOf(head);
    if (areas === null || memory.layout.isDevicePrivate(head)) return;
    const index = folios.index(head);
    const found: MappingArea[] = [];
    let node = areas.firstOverlap(index, index + npages);
    for (; node !== null; node = areas.nextOverlap(node, index, index + npages)) found.push(node.value);
    if (found.some(({ vma }) => isLocked(vma) && holdsAll(vma, index, npages))) return;
    const unlocked = found.filter(({ vma }) => !isLocked(vma));
    for (let i = 0; i < npages; i++) {
      const pfn = (head + i) as Pfn;
      if (memory.isZero(pfn)) for (const area of unlocked) this.readZeroPage(area, index + i, pfn);
    }
  }

  private readZeroPage({ mm, vma }: MappingArea, index: number, pfn: Pfn): void {
    const page = vma.addressOfIndex(index);
    const slot = page < 0 ? -1 : mm.pageTable.slot(page);
    if (slot < 0) return;
    const entry = pteFromWord(mm.pageTable.read(slot));
    if (pteKind(entry) !== PteKind.Migration || ptePfn(entry) !== pfn) return;
    const carried = (entry & (PteBit.SoftDirty | PteBit.UffdWp)) | PteBit.Young;
    mm.pageTable.write(slot, this.mappingEntry(vma, this.kernel.zeroPage, false, carried));
  }

  /** False where no migration leaf of the folio is. @kernel remove_migration_pmd */
  private restoreLeaf(mm: Mm, vma: Vma, page: Vpn, from: Pfn, to: Pfn): boolean {
    const { folios } = this.kernel;
    if (!isLeafAt(mm.pageTable, page)) return false;
    const slot = mm.pageTable.slot(leafStart(page));
    const entry = readLeaf(mm.pageTable, slot);
    if (pteKind(entry) !== PteKind.Migration || ptePfn(entry) !== from) return false;
    const writable = pteHas(entry, PteBit.Write);
    if (writable || pteHas(entry, PteBit.Exclusive)) folios.setFlag(to, FolioFlag.AnonExclusive);
    folios.get(to);
    folios.addEntireRmap(to);
    const carried = (entry & CARRIED) | PteBit.Huge;
    writeLeaf(mm.pageTable, slot, this.mappingEntry(vma, to, writable, carried));
    return true;
  }

  /** Maps the page with what the migration entry carried; a page that was the process's own is so again. @kernel remove_migration_pte */
  private restoreEntry(table: RadixTable, slot: number, vma: Vma, from: Pfn, to: Pfn): void {
    const { folios } = this.kernel;
    const entry = pteFromWord(table.read(slot));
    if (pteKind(entry) !== PteKind.Migration || ptePfn(entry) !== from || pteIsHuge(entry)) return;
    const writable = pteHas(entry, PteBit.Write);
    const isExclusive = writable || pteHas(entry, PteBit.Exclusive);
    if (isExclusive && folios.testFlag(folios.headOf(to), FolioFlag.Anon))
      folios.setFlag(to, FolioFlag.AnonExclusive);
    folios.get(to);
    folios.addRmap(to);
    table.write(slot, this.mappingEntry(vma, to, writable, entry & CARRIED));
  }

  /** An entry that maps `pfn` as its zone demands: present, or device-private, which is neither young nor dirty. */
  mappingEntry(vma: Vma, pfn: Pfn, writable: boolean, carried: number): Pte {
    const write = writable && vma.isWritable ? PteBit.Write : 0;
    if (this.kernel.memory.layout.isDevicePrivate(pfn))
      return makePte(PteKind.DevicePrivate, pfn, write | (carried & ~MARKS));
    return makePte(PteKind.Present, pfn, write | carried | (vma.isAccessible ? 0 : PteBit.ProtNone));
  }

  /** The entry of a page that was put where none was. @kernel migrate_vma_insert_page, migrate_vma_insert_huge_pmd_page */
  freshEntry(vma: Vma, pfn: Pfn, bits: number): Pte {
    const marks = PteBit.Young | (vma.isWritable ? PTE_WRITTEN : 0);
    const isPrivate = this.kernel.memory.layout.isDevicePrivate(pfn);
    return this.mappingEntry(vma, pfn, vma.isWritable, isPrivate ? bits : bits | marks);
  }

  private mapsPage(mm: Mm, page: Vpn, pfn: Pfn): boolean {
    const pte = pteFromWord(mm.pageTable.get(page));
    return pteIsMapping(pte) && ptePfn(pte) === pfn;
  }

  /**
   * A copy, since areas may come and go while the caller sleeps. Each entry holds an mm_count, which the caller drops: the kernel keeps exit
   * out with the anon_vma lock instead.
   * @kernel rmap_walk
   */
  mappings(head: Pfn): Mapping[] {
    const { folios } = this.kernel;
    const areas = this.areasOf(head);
    const found: Mapping[] = [];
    const index = folios.index(head);
    const limit = index + folios.npages(head);
    let node = areas?.firstOverlap(index, limit) ?? null;
    for (; node !== null; node = areas?.nextOverlap(node, index, limit) ?? null) {
      const { mm, vma } = node.value;
      const from = Math.max(index, vma.pgoff);
      const npages = Math.min(limit, vma.pgoff + vma.pages) - from;
      assert(npages > 0, 'the reverse map finds an area at an offset that it does not cover');
      const start = (vma.start + (from - vma.pgoff)) as Vpn;
      mm.grab();
      found.push({ mm, start, end: (start + npages) as Vpn, first: from - index });
    }
    return found;
  }

  /** Every area that may map the page, by offset: those of its anon_vma, or of its file. @kernel folio_anon_vma, folio_mapping */
  private areasOf(pfn: Pfn): IntervalTree<MappingArea> | null {
    const { folios, anonVmas, pageCache } = this.kernel;
    const id = folios.mapping(pfn);
    if (folios.testFlag(folios.headOf(pfn), FolioFlag.Anon)) return anonVmas.get(id)?.areas ?? null;
    return pageCache.get(id)?.areas ?? null;
  }
}

function isLocked({ flags }: Vma): boolean {
  return (flags & VmFlag.Locked) !== 0;
}

/** @kernel folio_within_vma */
function holdsAll({ pgoff, pages }: Vma, index: number, npages: number): boolean {
  return pgoff <= index && index + npages <= pgoff + pages;
}
