/** The metadata of every physical page: who holds it, who maps it, who has it locked, and whose memory it is. */

import { AssertionFailure, assert } from '../base/assert.js';
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
  /** Only one mm maps the page, so a write needs no copy. */
  AnonExclusive: 16,
  Swapcache: 32,
  /** The head of a folio of order 1 or more. */
  Large: 64,
  /** Not a head: no call but `headOf` may name this page. */
  Tail: 128,
  /** Accessed since the bit was last cleared. */
  Referenced: 256,
} as const;

export type FolioFlag = (typeof FolioFlag)[keyof typeof FolioFlag];

/** Flags that follow from other calls, so nobody sets them by hand. */
const DERIVED_FLAGS = FolioFlag.Locked | FolioFlag.Large | FolioFlag.Tail;

/** Called when the last reference to a folio is dropped; may not sleep. @kernel page_free, folio_free */
export type Releaser = (page: Pfn, order: number) => void;

/** Bytes of metadata per page: one float64, six int32, one uint8. */
const BYTES_PER_PAGE = 8 + 6 * 4 + 1;

/**
 * Struct of arrays over one shared buffer, indexed by pfn. The coordinator alone writes; every method is atomic there. All
 * methods name the head page of a folio. A free page has no references, no mappings, no lock and no zone data.
 *
 * A holder takes its reference before its mapping and drops the mapping before its reference, so the mapcount never
 * exceeds the refcount. @kernel struct folio
 */
export class FolioTable {
  readonly buffer: SharedArrayBuffer;
  readonly layout: PhysicalLayout;
  /** Called after each `unlock`, for whoever keeps the queues of tasks that wait for a folio lock. */
  unlockListener: ((page: Pfn) => void) | null = null;
  private readonly indexes: Float64Array;
  private readonly refs: Int32Array;
  private readonly maps: Int32Array;
  private readonly flags: Int32Array;
  /** Id of the anon_vma, 0 for none; in a tail page the pfn of its head. */
  private readonly mappings: Int32Array;
  private readonly zoneDatas: Int32Array;
  private readonly lockOwners: Int32Array;
  private readonly orders: Uint8Array;
  private readonly releasers: (Releaser | null)[];

  constructor(buffer: SharedArrayBuffer, layout: PhysicalLayout) {
    const pages = layout.totalPages;
    assert(buffer.byteLength === pages * BYTES_PER_PAGE, 'folio table buffer does not match its layout');
    this.buffer = buffer;
    this.layout = layout;
    this.indexes = new Float64Array(buffer, 0, pages);
    const field = (i: number): Int32Array => new Int32Array(buffer, pages * (8 + 4 * i), pages);
    this.refs = field(0);
    this.maps = field(1);
    this.flags = field(2);
    this.mappings = field(3);
    this.zoneDatas = field(4);
    this.lockOwners = field(5);
    this.orders = new Uint8Array(buffer, pages * (8 + 4 * 6), pages);
    this.releasers = layout.zones.map(() => null);
  }

  static allocate(layout: PhysicalLayout): FolioTable {
    return new FolioTable(new SharedArrayBuffer(layout.totalPages * BYTES_PER_PAGE), layout);
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
    for (let tail = npages - 1; tail >= 0; tail--) this.initFree(pfn(page + tail));
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
    this.assertLive(page);
    this.refs[page]++;
  }

  /** Takes a reference unless the folio is free. @kernel folio_try_get */
  tryGet(page: Pfn): boolean {
    this.check(page, (this.flags[page] & FolioFlag.Tail) === 0, 'is a tail page');
    if (this.refs[page] <= 0) return false;
    this.refs[page]++;
    return true;
  }

  /** Drops a reference; the last one frees the folio through its zone's releaser. @kernel folio_put */
  put(page: Pfn): void {
    this.assertLive(page);
    const left = --this.refs[page];
    this.check(page, left >= this.maps[page], 'lost a reference that a mapping holds');
    if (left === 0) this.release(page);
  }

  refcount(page: Pfn): number {
    return this.refs[page];
  }

  mapcount(page: Pfn): number {
    return this.maps[page];
  }

  order(page: Pfn): number {
    return this.orders[page];
  }

  /** Pages of the folio. @kernel folio_nr_pages */
  npages(page: Pfn): number {
    return 1 << this.orders[page];
  }

  /** The head of the folio that a page belongs to. @kernel page_folio */
  headOf(page: Pfn): Pfn {
    return (this.flags[page] & FolioFlag.Tail) === 0 ? page : pfn(this.mappings[page]);
  }

  /** A page-table entry now maps the page; it already holds a reference. @kernel folio_add_anon_rmap_pte */
  addRmap(page: Pfn): void {
    this.assertLive(page);
    this.maps[page]++;
    this.check(page, this.maps[page] <= this.refs[page], 'is mapped more often than referenced');
  }

  /** @kernel folio_remove_rmap_pte */
  removeRmap(page: Pfn): void {
    this.assertLive(page);
    this.check(page, this.maps[page] > 0, 'is unmapped once too often');
    this.maps[page]--;
  }

  isLocked(page: Pfn): boolean {
    return (this.flags[page] & FolioFlag.Locked) !== 0;
  }

  /** Task that holds the folio lock, 0 for none. */
  lockOwner(page: Pfn): number {
    return this.lockOwners[page];
  }

  /** Takes the folio lock if nobody has it. The caller holds a reference. @kernel folio_trylock */
  trylock(page: Pfn, ownerTaskId: number): boolean {
    this.check(page, ownerTaskId > 0, 'a folio lock needs an owner');
    this.assertLive(page);
    if (this.isLocked(page)) return false;
    this.flags[page] |= FolioFlag.Locked;
    this.lockOwners[page] = ownerTaskId;
    return true;
  }

  /** Only the task that locked the folio unlocks it. @kernel folio_unlock */
  unlock(page: Pfn, ownerTaskId: number): void {
    assert(ownerTaskId > 0, 'a folio lock needs an owner');
    this.assertLive(page);
    assert(this.isLocked(page), 'is unlocked but was not locked');
    if (this.lockOwners[page] !== ownerTaskId) {
      this.refuse(page, `is unlocked by task ${ownerTaskId}, which does not hold it`);
    }
    this.flags[page] &= ~FolioFlag.Locked;
    this.lockOwners[page] = 0;
    this.unlockListener?.(page);
  }

  testFlag(page: Pfn, flag: FolioFlag): boolean {
    return (this.flags[page] & flag) !== 0;
  }

  setFlag(page: Pfn, flag: FolioFlag): void {
    this.assertLive(page);
    this.check(page, (flag & DERIVED_FLAGS) === 0, 'this folio flag is not set by hand');
    assert(
      flag !== FolioFlag.Lru || this.layout.zoneOf(page).kind === ZoneKind.System,
      'is device memory and cannot be on the LRU',
    );
    this.flags[page] |= flag;
  }

  clearFlag(page: Pfn, flag: FolioFlag): void {
    this.assertLive(page);
    assert((flag & DERIVED_FLAGS) === 0, 'this folio flag is not cleared by hand');
    this.flags[page] &= ~flag;
  }

  /** Makes the folio anonymous memory of `anonVma` (positive id) at `index`, in pages. @kernel folio_add_new_anon_rmap */
  setMapping(page: Pfn, anonVma: number, index: number): void {
    this.assertLive(page);
    this.check(page, anonVma > 0, 'an anon_vma has a positive id');
    this.mappings[page] = anonVma;
    this.indexes[page] = index;
    this.flags[page] |= FolioFlag.Anon;
  }

  /** The folio has moved away or is to be freed; it is no longer anyone's memory. */
  clearMapping(page: Pfn): void {
    this.assertLive(page);
    assert(this.maps[page] === 0, 'loses its mapping while it is mapped');
    this.mappings[page] = 0;
    this.indexes[page] = 0;
    this.flags[page] &= ~(FolioFlag.Anon | FolioFlag.AnonExclusive);
  }

  /** Id of the anon_vma, 0 for none. */
  mapping(page: Pfn): number {
    return this.mappings[page];
  }

  /** Page offset within the mapping. */
  index(page: Pfn): number {
    return this.indexes[page];
  }

  /** Id of the zone device data, 0 for none. @kernel page->zone_device_data */
  zoneData(page: Pfn): number {
    return this.zoneDatas[page];
  }

  /** Device pages only; the zone's releaser sets it back to 0 (M5). */
  setZoneData(page: Pfn, id: number): void {
    this.check(page, id >= 0, 'zone device data has a positive id');
    assert(
      id === 0 || this.layout.zoneOf(page).kind !== ZoneKind.System,
      'is RAM and has no zone device data',
    );
    this.zoneDatas[page] = id;
  }

  /** For messages: everything there is to know about one page. */
  describe(page: Pfn): string {
    const zone = this.layout.contains(page) ? this.layout.zoneOf(page).name : 'no zone';
    const owner = this.lockOwners[page] === 0 ? 'unlocked' : `locked by task ${this.lockOwners[page]}`;
    return `folio ${formatPfn(page)} (${zone}, order ${this.orders[page]}, refs ${this.refs[page]}, maps ${this.maps[page]}, ${owner})`;
  }

  private formTails(page: Pfn, npages: number): void {
    this.flags[page] = FolioFlag.Large;
    for (let tail = page + 1; tail < page + npages; tail++) {
      this.flags[tail] = FolioFlag.Tail;
      this.mappings[tail] = page;
    }
  }

  /** The order and the zone data are still there when the releaser runs; the order stays until the page is used again. */
  private release(page: Pfn): void {
    const order = this.orders[page];
    this.check(page, !this.isLocked(page), 'is freed while it is locked');
    for (let at: number = page; at < page + (1 << order); at++) {
      this.flags[at] = 0;
      this.mappings[at] = 0;
    }
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
