/** The metadata of every physical page: who holds it, who maps it, who has it locked, and whose memory it is. */

import { AssertionFailure, assert } from '../base/assert.js';
import { FOLIO_BYTES, FolioFields } from './folioFields.js';
import { formatPfn, NO_PFN, type Pfn, pfn } from './pfn.js';
import type { PhysicalLayout } from './physicalLayout.js';
import { ZoneKind } from './zone.js';

/** @kernel enum pageflags */
export const FolioFlag = {
  /** Set by `trylock`, cleared by `unlock`, never by `setFlag`. */
  Locked: 1,
  /** On the LRU: system pages only. */
  Lru: 2,
  Dirty: 4,
  Anon: 8,
  /** Only one mm maps the page, so a write needs no copy. Kept per page of a large folio; a leaf that maps it as a whole has the head's. */
  AnonExclusive: 16,
  Swapcache: 32,
  /** The head of a folio of order 1 or more. */
  Large: 64,
  /** A page of a large folio other than its head. */
  Tail: 128,
  /** Of a large folio: some pages are mapped no more while others are. @kernel folio_test_partially_mapped */
  PartiallyMapped: 512,
  /** Anonymous memory that its owner gave up: it may go without being written to swap, unless it is dirty again. @kernel !PG_swapbacked */
  LazyFree: 1024,
  /** Of the pool of huge pages for hugetlb mappings: never split, never on the LRU. @kernel folio_test_hugetlb */
  Hugetlb: 2048,
} as const;

export type FolioFlag = (typeof FolioFlag)[keyof typeof FolioFlag];

/** Flags that follow from other calls, so nobody sets them by hand. */
const DERIVED_FLAGS = FolioFlag.Locked | FolioFlag.Large | FolioFlag.Tail;

/** Flags of the page itself; all others are the folio's, wherever in it the page is. */
const PAGE_FLAGS = FolioFlag.AnonExclusive | FolioFlag.Large | FolioFlag.Tail;

const PART_OF_LARGE = FolioFlag.Large | FolioFlag.Tail;

/** Called when the last reference to a folio is dropped; may not sleep. @kernel page_free, folio_free */
export type Releaser = (page: Pfn, order: number) => void;

/**
 * Struct of arrays over one shared buffer, indexed by pfn. The coordinator alone writes; every method is atomic there. Any page names
 * its folio; what is kept per page (map counts, `AnonExclusive`, the index) is that page's. A free page has no references, no mappings,
 * no lock and no zone data.
 *
 * Each entry that maps a page of a large folio, and each huge leaf that maps all of it, holds one reference on the folio and counts once
 * in its mapcount.
 *
 * A holder takes its reference before its mapping and drops the mapping before its reference, so the mapcount never
 * exceeds the refcount. @kernel struct folio
 */
export class FolioTable {
  readonly buffer: SharedArrayBuffer;
  readonly layout: PhysicalLayout;
  /** Called with the head of a large folio when the first of its pages is unmapped while others stay mapped. */
  partialMappingListener: ((head: Pfn) => void) | null = null;
  private readonly fields: FolioFields;
  private readonly indexes: Float64Array;
  private readonly refs: Int32Array;
  /** Mappings of the whole folio, huge leaves counting as one; at its head. @kernel _large_mapcount */
  private readonly maps: Int32Array;
  private readonly flags: Int32Array;
  /** Id of the anon_vma (flag Anon) or of the page cache (no such flag), 0 for none; in a tail page the pfn of its head. */
  private readonly mappings: Int32Array;
  private readonly zoneDatas: Int32Array;
  private readonly lockOwners: Int32Array;
  /** Of large folios only: entries that map just this page. @kernel page->_mapcount */
  private readonly pageMaps: Int32Array;
  /** At the head of a large folio: leaves that map all of it. @kernel _entire_mapcount */
  private readonly entireMaps: Int32Array;
  private readonly orders: Uint8Array;
  private readonly releasers: (Releaser | null)[];

  constructor(buffer: SharedArrayBuffer, layout: PhysicalLayout) {
    const fields = FolioFields.of(buffer, layout.totalPages);
    this.fields = fields;
    this.buffer = buffer;
    this.layout = layout;
    this.indexes = fields.indexes;
    this.refs = fields.refs;
    this.maps = fields.maps;
    this.flags = fields.flags;
    this.mappings = fields.mappings;
    this.zoneDatas = fields.zoneDatas;
    this.lockOwners = fields.lockOwners;
    this.pageMaps = fields.pageMaps;
    this.entireMaps = fields.entireMaps;
    this.orders = fields.orders;
    this.releasers = layout.zones.map(() => null);
  }

  static allocate(layout: PhysicalLayout): FolioTable {
    return new FolioTable(new SharedArrayBuffer(layout.totalPages * FOLIO_BYTES), layout);
  }

  /** Who takes back the pages of a zone. Must be set before the first page of that zone is freed. */
  setReleaser(zoneId: number, releaser: Releaser): void {
    assert(zoneId >= 0 && zoneId < this.releasers.length, 'no such zone');
    this.releasers[zoneId] = releaser;
  }

  /**
   * Turns a free block that an allocator has just given into a folio with `refcount` references and clean metadata.
   *
   * @kernel prep_new_page, zone_device_page_init
   */
  prepareNew(page: Pfn, order: number, refcount: number): void {
    assert(refcount > 0, 'a new folio needs a reference');
    const npages = 1 << order;
    this.check(page, page % npages === 0, 'is not aligned to its new order');
    this.layout.zoneOf(page);
    this.layout.zoneOf(pfn(page + npages - 1));
    // Page by page only for one page, and to say which one is in use.
    if (order > 0 && !this.fields.anyUsed(page, page + npages)) this.fields.wipe(page, page + npages);
    else for (let tail = npages - 1; tail >= 0; tail--) this.initFree(pfn(page + tail));
    this.refs[page] = refcount;
    this.orders[page] = order;
    if (order > 0) this.formTails(page, npages);
  }

  /** Wipes the metadata of a page that is free; asserts that it is (M5: never re-initialise a page in use). */
  initFree(page: Pfn): void {
    this.check(page, this.refs[page] === 0, 'is initialised while it is in use');
    this.assertUnused(page);
    this.flags[page] = 0;
    this.orders[page] = 0;
    this.mappings[page] = 0;
    this.indexes[page] = 0;
  }

  /** Takes a reference on a folio that somebody already holds. @kernel folio_get */
  get(page: Pfn): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.refs[head]++;
  }

  /** Takes `count` references at once. @kernel folio_ref_add */
  getMany(page: Pfn, count: number): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.refs[head] += count;
  }

  /** Drops `count` references at once, as {@link put} does. @kernel folio_put_refs */
  putMany(page: Pfn, count: number): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.check(head, count > 0 && count <= this.refs[head], 'loses more references than it has');
    this.refs[head] -= count - 1;
    this.put(head);
  }

  /** Takes a reference unless the folio is free. @kernel folio_try_get */
  tryGet(page: Pfn): boolean {
    const head = this.headOf(page);
    if (this.refs[head] <= 0) return false;
    this.refs[head]++;
    return true;
  }

  /** Drops a reference; the last one frees the folio through its zone's releaser. @kernel folio_put */
  put(page: Pfn): void {
    const head = this.headOf(page);
    this.assertLive(head);
    const left = --this.refs[head];
    this.check(head, left >= this.maps[head], 'lost a reference that a mapping holds');
    if (left === 0) this.release(head);
  }

  /** Of the folio. */
  refcount(page: Pfn): number {
    return this.refs[this.headOf(page)];
  }

  /** Mappings of the folio: entries of its pages, and leaves that map all of it, each counting once. @kernel folio_mapcount */
  mapcount(page: Pfn): number {
    return this.maps[this.headOf(page)];
  }

  /** Mappings of this one page, those of the whole folio included. @kernel folio_precise_page_mapcount */
  pageMapcount(page: Pfn): number {
    if (!this.isLarge(page)) return this.maps[page];
    return this.pageMaps[page] + this.entireMaps[this.headOf(page)];
  }

  /** Leaves that map the whole folio. @kernel folio_entire_mapcount */
  entireMapcount(page: Pfn): number {
    return this.isLarge(page) ? this.entireMaps[this.headOf(page)] : 0;
  }

  order(page: Pfn): number {
    return this.orders[this.headOf(page)];
  }

  /** Pages of the folio. @kernel folio_nr_pages */
  npages(page: Pfn): number {
    return 1 << this.orders[this.headOf(page)];
  }

  /** Whether the page belongs to a folio of more than one page. @kernel folio_test_large */
  isLarge(page: Pfn): boolean {
    return (this.flags[page] & PART_OF_LARGE) !== 0;
  }

  /** The head of the folio that a page belongs to. @kernel page_folio */
  headOf(page: Pfn): Pfn {
    return (this.flags[page] & FolioFlag.Tail) === 0 ? page : (this.mappings[page] as Pfn);
  }

  /** A page-table entry now maps the page; it already holds a reference. @kernel folio_add_anon_rmap_pte */
  addRmap(page: Pfn): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.maps[head]++;
    if ((this.flags[head] & FolioFlag.Large) !== 0) this.pageMaps[page]++;
    this.check(head, this.maps[head] <= this.refs[head], 'is mapped more often than referenced');
  }

  /** @kernel folio_remove_rmap_pte */
  removeRmap(page: Pfn): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.check(head, this.maps[head] > 0, 'is unmapped once too often');
    this.maps[head]--;
    if ((this.flags[head] & FolioFlag.Large) !== 0) this.removePageRmap(head, page);
  }

  /** A huge leaf now maps the whole folio; it already holds a reference. @kernel folio_add_anon_rmap_pmd */
  addEntireRmap(head: Pfn): void {
    this.assertLive(head);
    this.check(head, (this.flags[head] & FolioFlag.Large) !== 0, 'is not the head of a large folio');
    this.maps[head]++;
    this.entireMaps[head]++;
    this.check(head, this.maps[head] <= this.refs[head], 'is mapped more often than referenced');
  }

  /** @kernel folio_remove_rmap_pmd */
  removeEntireRmap(head: Pfn): void {
    this.assertLive(head);
    this.check(head, this.entireMaps[head] > 0, 'is unmapped as a whole once too often');
    this.maps[head]--;
    this.entireMaps[head]--;
    if (this.maps[head] > 0 && this.entireMaps[head] === 0) this.notePartialMapping(head);
  }

  /**
   * A leaf that maps the whole folio becomes one entry per page: as many references and mappings, and the head's exclusiveness on each.
   * @kernel __split_huge_pmd_locked
   */
  entireRmapToPages(head: Pfn): void {
    const npages = this.npages(head);
    this.check(head, this.entireMaps[head] > 0, 'is not mapped as a whole');
    this.refs[head] += npages - 1;
    this.maps[head] += npages - 1;
    this.entireMaps[head]--;
    const exclusive = this.flags[head] & FolioFlag.AnonExclusive;
    for (let page = head as number; page < head + npages; page++) {
      this.pageMaps[page]++;
      this.flags[page] |= exclusive;
    }
  }

  /**
   * Makes a large folio that is locked, and that nothing maps, as many folios of one page. Each keeps what the large one was: mapping, own
   * index, flags, zone data; each is locked by the same task. The references stay with the head; every other page has one, the caller's.
   * @kernel __split_unmapped_folio, __split_huge_page
   */
  splitToPages(head: Pfn): void {
    this.assertLive(head);
    this.check(head, (this.flags[head] & FolioFlag.Large) !== 0, 'is not large and cannot be split');
    this.check(head, (this.flags[head] & FolioFlag.Hugetlb) === 0, 'is a hugetlb page and is never split');
    this.check(head, this.maps[head] === 0, 'is split while it is mapped');
    this.check(head, this.lockOwners[head] !== 0, 'is split while it is not locked');
    const npages = this.npages(head);
    const common = this.flags[head] & ~(PAGE_FLAGS | FolioFlag.PartiallyMapped);
    for (let i = npages - 1; i >= 0; i--) {
      const page = head + i;
      this.flags[page] = common | (this.flags[page] & FolioFlag.AnonExclusive);
      this.orders[page] = 0;
      if (i === 0) continue;
      this.refs[page] = 1;
      this.mappings[page] = this.mappings[head];
      this.indexes[page] = this.indexes[head] + i;
      this.zoneDatas[page] = this.zoneDatas[head];
      this.lockOwners[page] = this.lockOwners[head];
    }
  }

  isLocked(page: Pfn): boolean {
    return (this.flags[this.headOf(page)] & FolioFlag.Locked) !== 0;
  }

  /** Task that holds the folio lock, 0 for none. */
  lockOwner(page: Pfn): number {
    return this.lockOwners[this.headOf(page)];
  }

  /** Takes the folio lock if nobody has it. The caller holds a reference. @kernel folio_trylock */
  trylock(page: Pfn, ownerTaskId: number): boolean {
    const head = this.headOf(page);
    this.check(head, ownerTaskId > 0, 'a folio lock needs an owner');
    this.assertLive(head);
    if ((this.flags[head] & FolioFlag.Locked) !== 0) return false;
    this.flags[head] |= FolioFlag.Locked;
    this.lockOwners[head] = ownerTaskId;
    return true;
  }

  /** Only the task that locked the folio unlocks it. @kernel folio_unlock */
  unlock(page: Pfn, ownerTaskId: number): void {
    assert(ownerTaskId > 0, 'a folio lock needs an owner');
    const head = this.headOf(page);
    this.assertLive(head);
    assert((this.flags[head] & FolioFlag.Locked) !== 0, 'is unlocked but was not locked');
    if (this.lockOwners[head] !== ownerTaskId) {
      this.refuse(head, `is unlocked by task ${ownerTaskId}, which does not hold it`);
    }
    this.flags[head] &= ~FolioFlag.Locked;
    this.lockOwners[head] = 0;
  }

  testFlag(page: Pfn, flag: FolioFlag): boolean {
    return (this.flags[this.flagHome(page, flag)] & flag) !== 0;
  }

  setFlag(page: Pfn, flag: FolioFlag): void {
    const home = this.flagHome(page, flag);
    this.assertLive(this.headOf(page));
    this.check(page, (flag & DERIVED_FLAGS) === 0, 'this folio flag is not set by hand');
    assert(
      flag !== FolioFlag.Lru || this.layout.zoneOf(page).kind === ZoneKind.System,
      'is device memory and cannot be on the LRU',
    );
    this.flags[home] |= flag;
  }

  /** Sets in `to` those flags of `mask` that `from` has; they are the folio's own, not a single page's. */
  copyFlags(from: Pfn, to: Pfn, mask: number): void {
    assert((mask & (DERIVED_FLAGS | PAGE_FLAGS)) === 0, 'a folio flag that is not copied');
    const head = this.headOf(to);
    this.assertLive(head);
    this.flags[head] |= this.flags[this.headOf(from)] & mask;
  }

  clearFlag(page: Pfn, flag: FolioFlag): void {
    const home = this.flagHome(page, flag);
    this.assertLive(this.headOf(page));
    assert((flag & DERIVED_FLAGS) === 0, 'this folio flag is not cleared by hand');
    this.flags[home] &= ~flag;
  }

  /** Whose flag word says it: the page's own, or its folio's. */
  private flagHome(page: Pfn, flag: FolioFlag): Pfn {
    return (flag & PAGE_FLAGS) === 0 ? this.headOf(page) : page;
  }

  /** Makes the folio anonymous memory of `anonVma` (positive id), the page being at `index`, in pages. @kernel folio_add_new_anon_rmap */
  setMapping(page: Pfn, anonVma: number, index: number): void {
    const head = this.headOf(page);
    this.assertLive(head);
    this.check(head, anonVma > 0, 'an anon_vma has a positive id');
    this.mappings[head] = anonVma;
    this.indexes[head] = index - (page - head);
    this.flags[head] |= FolioFlag.Anon;
  }

  /** Makes the folio page-cache memory of the file with this (positive) id at `index`, in pages. @kernel __filemap_add_folio */
  setFileMapping(page: Pfn, file: number, index: number): void {
    this.assertLive(page);
    this.check(page, file > 0, 'a page cache has a positive id');
    this.check(page, (this.flags[page] & FolioFlag.Anon) === 0, "is anonymous memory and cannot be a file's");
    this.mappings[page] = file;
    this.indexes[page] = index;
  }

  /** The folio has moved away or is to be freed; it is no longer anyone's memory. */
  clearMapping(page: Pfn): void {
    this.assertLive(page);
    assert(this.maps[page] === 0, 'loses its mapping while it is mapped');
    this.mappings[page] = 0;
    this.indexes[page] = 0;
    this.flags[page] &= ~(FolioFlag.Anon | FolioFlag.AnonExclusive);
  }

  /** Id of the anon_vma, or without the flag Anon that of the page cache; 0 for none. @kernel folio->mapping */
  mapping(page: Pfn): number {
    return this.mappings[this.headOf(page)];
  }

  /** Whether the folio is in a file's page cache. @kernel folio_mapping */
  isCached(page: Pfn): boolean {
    const head = this.headOf(page);
    return this.mappings[head] !== 0 && (this.flags[head] & FolioFlag.Anon) === 0;
  }

  /** Offset of this page within the mapping. @kernel page_pgoff */
  index(page: Pfn): number {
    const head = this.headOf(page);
    return this.indexes[head] + (page - head);
  }

  /** Id of the zone device data, 0 for none. @kernel page->zone_device_data */
  zoneData(page: Pfn): number {
    return this.zoneDatas[this.headOf(page)];
  }

  /** Device pages only; the zone's releaser sets it back to 0 (M5). */
  setZoneData(page: Pfn, id: number): void {
    assert((this.flags[page] & FolioFlag.Tail) === 0, 'zone device data is set at the head');
    this.check(page, id >= 0, 'zone device data has a positive id');
    assert(
      id === 0 || this.layout.zoneOf(page).kind !== ZoneKind.System,
      'is RAM and has no zone device data',
    );
    this.zoneDatas[page] = id;
  }

  /** For messages. */
  zoneName(page: Pfn): string {
    return this.layout.contains(page) ? this.layout.zoneOf(page).name : 'no zone';
  }

  /** For messages: everything there is to know about one page. */
  describe(page: Pfn): string {
    const zone = this.zoneName(page);
    const head = this.headOf(page);
    if (head !== page) return `page ${page - head} of ${this.describe(head)}`;
    const owner = this.lockOwners[page] === 0 ? 'unlocked' : `locked by task ${this.lockOwners[page]}`;
    return `folio ${formatPfn(page)} (${zone}, order ${this.orders[page]}, refs ${this.refs[page]}, maps ${this.maps[page]}, ${owner})`;
  }

  /** @kernel __folio_remove_rmap */
  private removePageRmap(head: Pfn, page: Pfn): void {
    this.check(page, this.pageMaps[page] > 0, 'is unmapped once too often');
    this.pageMaps[page]--;
    if (this.pageMaps[page] === 0 && this.maps[head] > 0 && this.entireMaps[head] === 0)
      this.notePartialMapping(head);
  }

  /** Memory short, such a folio is split, and what nobody maps of it is freed. @kernel deferred_split_folio */
  private notePartialMapping(head: Pfn): void {
    if ((this.flags[head] & FolioFlag.PartiallyMapped) !== 0) return;
    if (!this.pageMaps.subarray(head, head + this.npages(head)).includes(0)) return;
    this.flags[head] |= FolioFlag.PartiallyMapped;
    this.partialMappingListener?.(head);
  }

  private formTails(page: Pfn, npages: number): void {
    this.flags[page] = FolioFlag.Large;
    this.flags.fill(FolioFlag.Tail, page + 1, page + npages);
    this.mappings.fill(page, page + 1, page + npages);
  }

  /** The order and the zone data are still there when the releaser runs; the order stays until the page is used again. */
  private release(page: Pfn): void {
    const order = this.orders[page];
    this.check(page, !this.isLocked(page), 'is freed while it is locked');
    this.flags[page] = 0;
    this.mappings[page] = 0;
    if (order > 0) this.fields.wipeTails(page, page + (1 << order));
    this.indexes[page] = 0;
    const releaser = this.releasers[this.layout.zoneOf(page).id];
    if (releaser === null) this.refuse(page, 'has no releaser');
    releaser(page, order);
    this.assertReleased(page);
  }

  /** What the releaser must have done; a page that it handed straight out again is in use, which is fine. */
  private assertReleased(page: Pfn): void {
    if (this.refs[page] === 0) this.assertUnused(page);
  }

  private assertUnused(page: Pfn): void {
    this.check(page, this.maps[page] === 0, 'is free but mapped');
    this.check(page, this.pageMaps[page] === 0 && this.entireMaps[page] === 0, 'is free but mapped');
    this.check(page, this.lockOwners[page] === 0, 'is free but locked');
    this.check(page, this.zoneDatas[page] === 0, 'is free but keeps zone device data');
  }

  private assertLive(page: Pfn): void {
    this.check(page, page !== NO_PFN, 'no page');
    assert(this.refs[page] > 0, 'is used but free, or not a head page');
  }

  /** An assertion about one page. Its message is made only on failure, and without a closure: this runs on every call. */
  private check(page: Pfn, condition: boolean, what: string): void {
    if (!condition) this.refuse(page, what);
  }

  private refuse(page: Pfn, what: string): never {
    throw new AssertionFailure(`${this.describe(page)} ${what}`);
  }
}
