/** MADV_COLLAPSE: 512 small pages of a PMD are copied into one huge page, now. */

import { Errno } from '../../base/errno.js';
import { alignDown, alignUp, PMD_ORDER, PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { FaultHandler } from '../fault/fault.js';
import { FaultFlag } from '../fault/faultFlag.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import { PTE_NONE, type Pte, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../table/pte.js';
import { mapNewHugePage } from './hugeFault.js';
import { isLeafAt } from './hugeLeaf.js';
import { allowsHugePages, fitsHugePage, hasRoomForHugePage, isPmdNone } from './thpArea.js';

export const CollapseStep = {
  scanned: defineStep('collapse.scanned', 'vpn', 'count', 'id'),
  allocated: defineStep('collapse.allocated', 'vpn', 'pfn', 'id'),
  collapsed: defineStep('collapse.collapsed', 'vpn', 'pfn', 'id'),
} as const;

/** How one PMD fared. @kernel scan_result */
const Scan = {
  Succeed: 0,
  /** There is no upper table, or the entry leads to no table of pages. */
  PmdNull: 1,
  /** An entry leads to no page just now. */
  NonPresent: 2,
  /** No entry is writable. */
  ReadOnly: 3,
  /** Somebody holds a reference, for example a pin. */
  PageCount: 4,
  PageLock: 5,
  /** The page is isolated, or no page that could be. */
  PageLru: 6,
  NoHugePage: 7,
  /** The area is gone, or allows no huge pages any more. */
  Area: 8,
  /** A page could not be brought back. */
  Fail: 9,
  /** Nothing was ever mapped near it. */
  PmdNone: 10,
  /** The page is a device's. */
  PageNull: 11,
  /** A handler in user space wants to fill what is missing. */
  ExceedNone: 12,
} as const;
type Scan = (typeof Scan)[keyof typeof Scan];

/** Results after which the other PMDs of the range are tried all the same. */
const CONTINUE: ReadonlySet<Scan> = new Set([
  Scan.PmdNull,
  Scan.NonPresent,
  Scan.ReadOnly,
  Scan.PageCount,
  Scan.PageLock,
  Scan.PageLru,
  Scan.PageNull,
]);

/** @kernel madvise_collapse_errno */
function errnoOf(result: Scan): Errno {
  if (result === Scan.NoHugePage) return Errno.ENOMEM;
  if (result === Scan.ExceedNone) return Errno.EBUSY;
  const mayWorkLater = result === Scan.PageCount || result === Scan.PageLock || result === Scan.PageLru;
  return mayWorkLater ? Errno.EAGAIN : Errno.EINVAL;
}

export class Collapse {
  /** Entries of the last scan that lead to no page in RAM; meaningful until the next yield only. */
  private unmapped = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly faults: FaultHandler,
  ) {}

  /**
   * Collapses every whole PMD of `[start, end)`, which lies in the area. mmap_lock is held for read, and is so again on return, but not in
   * between. Works whatever the configuration of huge pages. Errors: -EINVAL (not anonymous, forbidden, too small, never touched, or nothing that could be collapsed),
   * -ENOMEM (no huge page), -EAGAIN (a page is in use just now), -EBUSY (a page is missing that a handler in user space is to fill).
   * @kernel madvise_collapse
   */
  *collapse(mm: Mm, vma: Vma, start: Vpn, end: Vpn): Steps<Errno> {
    if (!allowsHugePages(vma) || !hasRoomForHugePage(vma) || vma.anonVma === null) return Errno.EINVAL;
    // Rounded inwards, a span that touches no boundary of a PMD ends before it begins; one that touches a single boundary is empty, and is done.
    const first = alignUp(start, PMD_PAGES);
    const limit = alignDown(end, PMD_PAGES);
    if (first > limit) return Errno.EINVAL;
    let last: Scan = Scan.Succeed;
    for (let at = first; at < limit; at += PMD_PAGES) {
      const area = this.revalidate(mm, at as Vpn);
      const result: Scan = area === null ? Scan.Area : yield* this.collapsePmd(mm, area, at as Vpn);
      if (result === Scan.Succeed) continue;
      last = result;
      if (!CONTINUE.has(result)) break;
    }
    return last === Scan.Succeed ? Errno.OK : errnoOf(last);
  }

  /** @kernel hugepage_vma_revalidate */
  private revalidate(mm: Mm, start: Vpn): Vma | null {
    const vma = mm.vmas.find(start);
    return vma !== null && allowsHugePages(vma) && fitsHugePage(vma, start) ? vma : null;
  }

  private *collapsePmd(mm: Mm, vma: Vma, start: Vpn): Steps<Scan> {
    if (isLeafAt(mm.pageTable, start)) {
      const isPresent = pteKind(pteFromWord(mm.pageTable.get(start))) === PteKind.Present;
      return isPresent ? Scan.Succeed : Scan.PmdNull;
    }
    const scanned = this.scan(mm, vma, start);
    const { unmapped } = this;
    if (this.kernel.sched.reach(CollapseStep.scanned, start, unmapped, mm.id)) yield STEP;
    if (scanned !== Scan.Succeed) return scanned;
    mm.mmapLock.readUnlock();
    const head = this.kernel.allocFolio(PMD_ORDER);
    yield* mm.mmapLock.read();
    if (head === NO_PFN) return Scan.NoHugePage;
    if (this.kernel.sched.reach(CollapseStep.allocated, start, head, mm.id)) yield STEP;
    const result = yield* this.fillAndMap(mm, start, head, unmapped > 0);
    if (result !== Scan.Succeed) this.kernel.folios.put(head);
    return result;
  }

  /** mmap_lock is held for read, and again on return. On success the leaf has taken over the reference on `head`. @kernel collapse_huge_page */
  private *fillAndMap(mm: Mm, start: Vpn, head: Pfn, bringBack: boolean): Steps<Scan> {
    const area = this.revalidate(mm, start);
    if (area === null) return Scan.Area;
    if (bringBack) {
      const result = yield* this.bringBack(mm, area, start);
      if (result !== Scan.Succeed) return result;
    }
    mm.mmapLock.readUnlock();
    yield* mm.mmapLock.write();
    const result = yield* this.replace(mm, start, head);
    mm.mmapLock.writeUnlock();
    yield* mm.mmapLock.read();
    return result;
  }

  private *replace(mm: Mm, start: Vpn, head: Pfn): Steps<Scan> {
    const vma = this.revalidate(mm, start);
    if (vma === null) return Scan.Area;
    if (isLeafAt(mm.pageTable, start) || isPmdNone(mm.pageTable, start)) return Scan.PmdNull;
    const range = notifierRange(NotifyEvent.Clear, start, (start + PMD_PAGES) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const scanned = this.scan(mm, vma, start);
    const result = scanned === Scan.Succeed && this.unmapped > 0 ? Scan.NonPresent : scanned;
    if (result === Scan.Succeed) this.moveToFolio(mm, vma, start, head);
    yield* mm.notifiers.invalidateEnd(range);
    return result;
  }

  /** What the entries of the PMD are now. @kernel hpage_collapse_scan_pmd, __collapse_huge_page_isolate */
  private scan(mm: Mm, vma: Vma, start: Vpn): Scan {
    this.unmapped = 0;
    const slot = mm.pageTable.slot(start);
    if (slot < 0) return mm.pageTable.hasUpperTable(start) ? Scan.PmdNone : Scan.PmdNull;
    let writable = false;
    for (let i = 0; i < PMD_PAGES; i++) {
      const pte = pteFromWord(mm.pageTable.read(slot + i));
      if (pteKind(pte) === PteKind.None || this.isZero(pte)) {
        if ((vma.flags & VmFlag.UffdMissing) !== 0) return Scan.ExceedNone;
        continue;
      }
      if (pteKind(pte) !== PteKind.Present) {
        this.unmapped++;
        continue;
      }
      if (pteHas(pte, PteBit.Write)) writable = true;
      const result = this.scanPage(ptePfn(pte));
      if (result !== Scan.Succeed) return result;
    }
    return writable ? Scan.Succeed : Scan.ReadOnly;
  }

  private isZero(pte: Pte): boolean {
    return pteKind(pte) === PteKind.Present && this.kernel.isZeroPage(ptePfn(pte));
  }

  private scanPage(pfn: Pfn): Scan {
    const { folios, memory } = this.kernel;
    if (memory.layout.zoneOf(pfn).kind !== ZoneKind.System) return Scan.PageNull;
    if (!folios.testFlag(pfn, FolioFlag.Lru)) return Scan.PageLru;
    if (folios.isLocked(pfn)) return Scan.PageLock;
    const cached = folios.testFlag(pfn, FolioFlag.Swapcache) ? folios.npages(pfn) : 0;
    return folios.refcount(pfn) === folios.mapcount(pfn) + cached ? Scan.Succeed : Scan.PageCount;
  }

  /** Faults in what is swapped out, on a device or in migration, and gives up where mmap_lock was dropped for that. @kernel __collapse_huge_page_swapin */
  private *bringBack(mm: Mm, vma: Vma, start: Vpn): Steps<Scan> {
    for (let page = start as number; page < start + PMD_PAGES; page++) {
      const kind = pteKind(pteFromWord(mm.pageTable.get(page)));
      if (kind === PteKind.None || kind === PteKind.Present) continue;
      const errno = yield* this.faults.handle(mm, vma, page as Vpn, false, FaultFlag.AllowRetry);
      if (errno === Errno.EAGAIN) {
        yield* mm.mmapLock.read();
        return Scan.PageLock;
      }
      if (errno !== Errno.OK) return Scan.Fail;
    }
    return Scan.Succeed;
  }

  /** Under the page-table lock; nobody can reach the old pages while they are copied. @kernel pmdp_collapse_flush, __collapse_huge_page_copy */
  private moveToFolio(mm: Mm, vma: Vma, start: Vpn, head: Pfn): void {
    const { kernel } = this;
    const slot = mm.pageTable.slot(start);
    const old = new Uint32Array(PMD_PAGES);
    for (let i = 0; i < PMD_PAGES; i++) old[i] = mm.pageTable.exchange(slot + i, PTE_NONE);
    kernel.flushCpuTlbs();
    for (let i = 0; i < PMD_PAGES; i++) {
      const pte = pteFromWord(old[i]);
      const to = (head + i) as Pfn;
      if (pteKind(pte) === PteKind.None || this.isZero(pte)) {
        kernel.memory.zeroPages(to, 1);
        continue;
      }
      kernel.memory.copyPages(to, ptePfn(pte), 1);
      kernel.folios.removeRmap(ptePfn(pte));
      kernel.swapCache.put(ptePfn(pte));
    }
    mapNewHugePage(kernel, mm, vma, start, head);
    kernel.sched.at(CollapseStep.collapsed, start, head, mm.id);
  }
}
