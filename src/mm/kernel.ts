/** What every part of the mm shares: physical memory, its metadata, the allocator, page-table pages and the reverse map. */

import { assert } from '../base/assert.js';
import { PAGE_BYTES, PMD_ORDER, PMD_PAGES } from '../base/units.js';
import type { AccessBracket } from '../memory/accessBracket.js';
import type { AllocSite, FailureInjector } from '../memory/failureInjector.js';
import type { FolioTable } from '../memory/folios.js';
import type { Pfn } from '../memory/pfn.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { TableArena } from '../memory/radixTable.js';
import { RamAllocator } from '../memory/ramAllocator.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { TimeCost } from '../sim/timeCost.js';
import { PageCache } from './file/pageCache.js';
import { HugetlbPool } from './hugetlb/hugetlbPool.js';
import type { DevPagemap } from './migrate/devPagemap.js';
import { Pins } from './mirror/pinning.js';
import type { Mm } from './process/mm.js';
import { reclaimMap } from './reclaimMap.js';
import { AnonVmaTable } from './rmap/anonVma.js';
import { FolioLocks } from './rmap/folioLock.js';
import { SwapCache } from './swap/swapCache.js';

/** Modelled CPU cost of mm work, in nanoseconds. */
export interface MmCosts {
  /** Serving a minor fault: entry, allocation and zeroing of one page. */
  readonly cpuFaultNs: TimeCost;
  /** Unmapping, isolating and remapping one page, or one large folio, in migrate_vma. */
  readonly migratePageNs: number;
  /** Walking one page-table entry in hmm_range_fault; a leaf of 2 MiB is one. */
  readonly hmmPageNs: number;
  /** A CPU TLB shootdown. */
  readonly tlbShootdownNs: TimeCost;
  /** Entering and leaving a system call. */
  readonly syscallNs: TimeCost;
}

/** @kernel /sys/kernel/mm/transparent_hugepage/enabled */
export const ThpMode = {
  /** In no area; MADV_COLLAPSE still makes them. */
  Never: 0,
  /** Where MADV_HUGEPAGE asked for them. */
  Madvise: 1,
  /** Everywhere but where MADV_NOHUGEPAGE forbade them. */
  Always: 2,
} as const;
export type ThpMode = (typeof ThpMode)[keyof typeof ThpMode];

/** What an array may take at most, in bytes. @kernel INT_MAX */
const ARRAY_BYTES_MAX = 2 ** 31 - 1;

/** The memory management of the whole machine, for everything that runs on the Coordinator. */
export class Kernel {
  readonly ram: RamAllocator;
  readonly folioLocks: FolioLocks;
  readonly anonVmas = new AnonVmaTable();
  /** The files that areas may map. */
  readonly pageCache: PageCache;
  readonly swapCache: SwapCache;
  readonly pins: Pins;
  /** Huge pages for hugetlb mappings: none until the pool is given some. */
  readonly hugetlb: HugetlbPool;
  /** Read-only page of zeros that every untouched page reads as; neither refcounted nor mapcounted per mapping. @kernel ZERO_PAGE */
  readonly zeroPage: Pfn;
  /** Which areas get huge pages at their first touch. @kernel transparent_hugepage_flags */
  thp: ThpMode = ThpMode.Madvise;
  /** Every address space whose page table still exists, users or not. */
  readonly mms = new Set<Mm>();
  /** Tears down an address space that has just lost its last user, in a task of its own. */
  reapMm: ((mm: Mm) => void) | null = null;
  /** The page table of an address space is about to be freed, also under CPU threads that go on in a process that somebody else has ended. */
  leaveMm: ((mm: Mm) => void) | null = null;
  /** Frees memory that nobody needs, when there is no other; whether there was any. May sleep, with mmap_lock held or not. @kernel shrink_slab */
  makeRoom: (() => Steps<boolean>) | null = null;
  private hugeZero: Pfn = 0 as Pfn;
  private readonly pagemaps: (DevPagemap | undefined)[] = [];
  private injector: FailureInjector | null = null;

  constructor(
    readonly sched: Scheduler,
    readonly memory: PhysicalMemory,
    readonly folios: FolioTable,
    readonly tables: TableArena,
    /** One per CPU thread that may run in any of the address spaces. */
    private readonly brackets: readonly AccessBracket[],
    readonly costs: MmCosts,
    /**
     * Pages that a loop handles between two points where others may run, a power of two: 1 explores every interleaving, more is faster. The
     * page-table lock is dropped there, so nothing read before may be trusted after.
     */
    readonly pagesPerStep: number,
  ) {
    this.ram = new RamAllocator(memory.layout);
    this.folioLocks = new FolioLocks(sched, folios);
    this.pageCache = new PageCache(this);
    this.swapCache = new SwapCache(folios, memory);
    this.pins = new Pins(folios);
    this.hugetlb = new HugetlbPool(this.ram, folios);
    folios.setReleaser(memory.layout.ram.id, (page, order) => this.freeRam(page, order));
    const zeroPage = this.ram.allocPage();
    assert(zeroPage >= 0, 'no memory for the zero page');
    this.zeroPage = zeroPage as Pfn;
    folios.prepareNew(this.zeroPage, 0, 1);
  }

  /** Somebody makes allocations fail on purpose. */
  get hasInjector(): boolean {
    return this.injector !== null;
  }

  /** From now on every allocation asks `injector`; null ends that. */
  injectFailures(injector: FailureInjector | null): void {
    this.injector = injector;
    this.ram.injector = injector;
    this.tables.injector = injector;
    this.swapCache.area.injector = injector;
  }

  /** Whether an allocation that has no allocator of its own here must fail; asked before anything has changed. */
  allocationFails(site: AllocSite): boolean {
    this.mayReclaim();
    return this.injector?.shouldFail(site) ?? false;
  }

  /** An array of so many bytes is refused whatever is free: beyond INT_MAX, and beyond all of RAM. @kernel kvmalloc_array, totalram_pages */
  isTooLarge(bytes: number): boolean {
    return bytes > Math.min(ARRAY_BYTES_MAX, this.ram.totalPages * PAGE_BYTES);
  }

  /** An allocation may have to free memory first. @kernel might_alloc */
  private mayReclaim(): void {
    this.sched.order(reclaimMap.lockClass);
  }

  /** @kernel devm_memremap_pages */
  addPagemap(pagemap: DevPagemap): void {
    this.pagemaps[pagemap.zoneId] = pagemap;
    this.folios.setReleaser(pagemap.zoneId, (page, order) => pagemap.ops.folioFree(page, order));
  }

  /** Its memory is no memory of the machine's any more; no page of it is in use. @kernel devm_memunmap_pages */
  removePagemap(pagemap: DevPagemap): void {
    assert(this.pagemaps[pagemap.zoneId] === pagemap, 'a pagemap is removed that is not there');
    const { firstPfn, pages } = this.memory.layout.zones[pagemap.zoneId];
    for (let i = 0; i < pages; i++)
      assert(
        this.folios.refcount((firstPfn + i) as Pfn) === 0,
        'device memory is removed while it is in use',
      );
    this.pagemaps[pagemap.zoneId] = undefined;
  }

  /** The pagemap of a device page, or null for RAM. @kernel page_pgmap */
  pagemapOf(page: Pfn): DevPagemap | null {
    return this.pagemaps[this.memory.layout.zoneOf(page).id] ?? null;
  }

  /** @kernel free_huge_folio, free_frozen_pages */
  private freeRam(page: Pfn, order: number): void {
    if (order === PMD_ORDER && this.hugetlb.owns(page)) this.hugetlb.takeBack(page);
    else this.ram.free(page, order);
  }

  /** A fresh page of RAM with one reference and undefined content; 0 when there is none. @kernel alloc_page */
  allocPage(): Pfn {
    this.mayReclaim();
    const page = this.ram.allocPage();
    if (page < 0) return 0 as Pfn;
    this.folios.prepareNew(page as Pfn, 0, 1);
    return page as Pfn;
  }

  /** Like {@link allocPage}, but no failure is injected. @kernel __GFP_NOFAIL */
  allocPageNoFail(): Pfn {
    this.mayReclaim();
    const page = this.ram.allocPageNoFail();
    if (page < 0) return 0 as Pfn;
    this.folios.prepareNew(page as Pfn, 0, 1);
    return page as Pfn;
  }

  /**
   * A fresh folio of `2^order` pages of RAM with one reference and undefined content; 0 when there is none. Never tried harder for: large
   * folios have a fallback. @kernel folio_alloc, alloc_hugepage_vma
   */
  allocFolio(order: number): Pfn {
    this.mayReclaim();
    const page = this.ram.alloc(order);
    if (page < 0) return 0 as Pfn;
    this.folios.prepareNew(page as Pfn, order, 1);
    return page as Pfn;
  }

  /**
   * The head of the huge zero page, which is made at its first use and stays; 0 when there is no memory for it. Like the zero page it is
   * neither refcounted nor mapcounted per mapping. @kernel mm_get_huge_zero_folio
   */
  getHugeZeroPage(): Pfn {
    if (this.hugeZero !== 0) return this.hugeZero;
    const page = this.allocFolio(PMD_ORDER);
    if (page === 0) return page;
    this.memory.zeroPages(page, PMD_PAGES);
    this.hugeZero = page;
    return page;
  }

  /** Its head, or 0 as long as nobody needed it. */
  get hugeZeroPage(): Pfn {
    return this.hugeZero;
  }

  /** Pages that the kernel keeps for reads of what was never written. */
  get zeroPages(): number {
    return this.hugeZero === 0 ? 1 : 1 + PMD_PAGES;
  }

  /** @kernel is_zero_pfn, is_huge_zero_pfn */
  isZeroPage(pfn: Pfn): boolean {
    return pfn === this.zeroPage || this.isHugeZeroPage(pfn);
  }

  isHugeZeroPage(pfn: Pfn): boolean {
    return this.hugeZero !== 0 && pfn >= this.hugeZero && pfn < this.hugeZero + PMD_PAGES;
  }

  /**
   * On return no CPU thread accesses memory through a translation that it read before. The current task owes the time of one shootdown, and of
   * one only for all that it flushes before others may run. @kernel flush_tlb_range
   */
  flushCpuTlbs(): void {
    this.flushGatheredTlbs();
    this.sched.owe(this.costs.tlbShootdownNs);
  }

  /** The same as a part of a flush that the task has paid for: the kernel makes one of them all, at the end. @kernel tlb_finish_mmu */
  flushGatheredTlbs(): void {
    for (const bracket of this.brackets) bracket.flush();
  }
}
