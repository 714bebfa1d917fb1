/** Faults on hugetlb memory: huge pages from the pool, and their copies when a private one is written that others see. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import type { FaultErrno } from '../fault/fault.js';
import {
  changeLeaf,
  clearLeaf,
  isLeafAt,
  leafStart,
  readLeaf,
  replaceLeaf,
  writeLeaf,
} from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import { prepareAnonVma, vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
import {
  makePte,
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteHas,
  ptePfn,
  pteWith,
  pteWithout,
} from '../table/pte.js';
import { allocForArea, reservationOf } from './hugetlbArea.js';

export const HugetlbStep = {
  /** A huge page is ready; the place may have been filled meanwhile. */
  allocated: defineStep('hugetlb.allocated', 'vpn', 'pfn', 'id'),
  mapped: defineStep('hugetlb.mapped', 'vpn', 'pfn', 'id'),
  /** The pool has no page for the place. */
  noPage: defineStep('hugetlb.noPage', 'vpn', 'id'),
  /** A copy is ready, the old page still is mapped. */
  copied: defineStep('hugetlb.copied', 'vpn', 'pfn', 'pfn', 'id'),
  /** The copy has taken the old page's place. */
  broken: defineStep('hugetlb.cowBroken', 'vpn', 'pfn', 'pfn', 'id'),
  reused: defineStep('hugetlb.reused', 'vpn', 'pfn', 'id'),
  /** A process lost a page, so that the one to whom it was promised can write it. */
  taken: defineStep('hugetlb.taken', 'vpn', 'pfn', 'id'),
} as const;

/** Places share them. */
const FAULT_LOCKS = 16;
const faultLockClass = new LockClass('hugetlb fault mutex');

const WRITTEN = PteBit.Write | PteBit.Young | PteBit.Dirty;

export class HugetlbFault {
  private readonly locks: readonly Mutex[];

  constructor(private readonly kernel: Kernel) {
    this.locks = Array.from(
      { length: FAULT_LOCKS },
      (_, i) => new Mutex(kernel.sched, `hugetlb fault mutex ${i}`, faultLockClass),
    );
  }

  /**
   * mmap_lock is held for read and the area allows the access. With `unshare` a private page becomes this mm's alone, to be pinned. Errors:
   * -EFAULT when the pool has no page or the file ends before it (SIGBUS), -ENOMEM without memory for a page table.
   * @kernel hugetlb_fault
   */
  *handle(mm: Mm, vma: Vma, page: Vpn, write: boolean, unshare: boolean): Steps<FaultErrno> {
    const lock = this.lockOf(vma, leafStart(page));
    yield* lock.lock();
    const errno = yield* this.handleLocked(mm, vma, page, write, unshare);
    lock.unlock();
    return errno;
  }

  /** One fault on a place at a time, or the second would find no page where the first has taken the last one. @kernel hugetlb_fault_mutex_hash */
  private lockOf(vma: Vma, start: Vpn): Mutex {
    const { file } = vma;
    assert(file !== null, 'hugetlb memory is that of a file');
    return this.locks[(file.mapping.id + vma.indexOf(start) / PMD_PAGES) % this.locks.length];
  }

  private *handleLocked(mm: Mm, vma: Vma, page: Vpn, write: boolean, unshare: boolean): Steps<FaultErrno> {
    const start = leafStart(page);
    const slot = mm.pageTable.ensure(start);
    if (slot < 0) return Errno.ENOMEM;
    if (mm.pageTable.read(slot) === PTE_NONE) return yield* this.mapMissing(mm, vma, start, write);
    const leaf = readLeaf(mm.pageTable, slot);
    if (pteHas(leaf, PteBit.ProtNone)) {
      replaceLeaf(mm.pageTable, slot, pteWith(pteWithout(leaf, PteBit.ProtNone), PteBit.Young));
      return Errno.OK;
    }
    if ((write && !pteHas(leaf, PteBit.Write)) || unshare)
      return yield* this.breakCow(mm, vma, start, leaf, unshare);
    changeLeaf(mm.pageTable, slot, write ? PteBit.Young | PteBit.Dirty : PteBit.Young, 0);
    return Errno.OK;
  }

  /** A page of the file if it has one there, else a new one: the file's, or in a private area the area's own. @kernel hugetlb_no_page */
  private *mapMissing(mm: Mm, vma: Vma, start: Vpn, write: boolean): Steps<FaultErrno> {
    const { file } = vma;
    assert(file !== null, 'hugetlb memory is that of a file');
    const index = vma.indexOf(start);
    if (vma.lostHugePages || index >= file.mapping.npages) return Errno.EFAULT;
    const cached = this.kernel.pageCache.find(file.mapping, index);
    if (cached !== NO_PFN) {
      this.mapCached(mm, vma, start, cached);
      return Errno.OK;
    }
    if (!vma.isShared && !vmfAnonPrepare(this.kernel, mm, vma)) return Errno.ENOMEM;
    const isPromised = reservationOf(vma)?.isOpen(index) ?? false;
    const head = allocForArea(this.kernel, vma, index);
    if (head === NO_PFN) return this.noPage(mm, start);
    this.kernel.memory.zeroPages(head, PMD_PAGES);
    if (this.kernel.sched.reach(HugetlbStep.allocated, start, head, mm.id)) yield STEP;
    const isTaken = mm.pageTable.get(start) !== PTE_NONE || file.mapping.pages.has(index);
    if (isTaken) this.giveBack(vma, head, index, isPromised);
    else if (vma.isShared) {
      this.kernel.pageCache.insertHugetlb(file.mapping, index, head);
      this.mapCached(mm, vma, start, head);
    } else this.mapOwn(mm, vma, start, head, write ? WRITTEN : PteBit.Young);
    return Errno.OK;
  }

  private noPage(mm: Mm, start: Vpn): typeof Errno.EFAULT {
    this.kernel.sched.at(HugetlbStep.noPage, start, mm.id);
    return Errno.EFAULT;
  }

  /** It was not needed; if a promise was used up for it, that is open again. @kernel restore_reserve_on_error */
  private giveBack(vma: Vma, head: Pfn, index: number, isPromised: boolean): void {
    const isThere = vma.file?.mapping.pages.has(index) ?? false;
    if (isPromised && !isThere) reservationOf(vma)?.restoreOnFree(head, index);
    this.kernel.folios.put(head);
  }

  /** @kernel hugetlb_add_file_rmap */
  private mapCached(mm: Mm, vma: Vma, start: Vpn, head: Pfn): void {
    this.kernel.folios.get(head);
    this.kernel.folios.addEntireRmap(head);
    this.writeEntry(
      mm,
      vma,
      start,
      head,
      PteBit.Young | (vma.mapsWritable ? PteBit.Write | PteBit.Dirty : 0),
    );
  }

  /** @kernel hugetlb_add_new_anon_rmap */
  private mapOwn(mm: Mm, vma: Vma, start: Vpn, head: Pfn, bits: number): void {
    const { folios } = this.kernel;
    folios.setMapping(head, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(start));
    folios.addEntireRmap(head);
    folios.setFlag(head, FolioFlag.AnonExclusive);
    this.writeEntry(mm, vma, start, head, bits);
  }

  private writeEntry(mm: Mm, vma: Vma, start: Vpn, head: Pfn, bits: number): void {
    const protNone = vma.isAccessible ? 0 : PteBit.ProtNone;
    const leaf = makePte(PteKind.Present, head, PteBit.Huge | bits | protNone);
    writeLeaf(mm.pageTable, mm.pageTable.slot(start), leaf);
    this.kernel.sched.at(HugetlbStep.mapped, start, head, mm.id);
  }

  /** Unlike with small pages it is the mappings that count, not the references: huge pages are too few to copy for a passer-by. @kernel hugetlb_wp */
  private *breakCow(mm: Mm, vma: Vma, start: Vpn, leaf: Pte, unshare: boolean): Steps<FaultErrno> {
    const { folios } = this.kernel;
    const head = ptePfn(leaf);
    const isAnon = folios.testFlag(head, FolioFlag.Anon);
    if (!vma.isShared && !(isAnon && folios.mapcount(head) === 1))
      return yield* this.copy(mm, vma, start, leaf, unshare);
    if (!vma.isShared && !folios.testFlag(head, FolioFlag.AnonExclusive)) {
      folios.setMapping(head, prepareAnonVma(this.kernel, mm, vma).id, vma.indexOf(start));
      folios.setFlag(head, FolioFlag.AnonExclusive);
    }
    if (!unshare) replaceLeaf(mm.pageTable, mm.pageTable.slot(start), pteWith(leaf, WRITTEN));
    this.kernel.sched.at(HugetlbStep.reused, start, head, mm.id);
    return Errno.OK;
  }

  /** The process to whom the page was promised does not fail for want of a second one: the others lose theirs instead. */
  private *copy(mm: Mm, vma: Vma, start: Vpn, leaf: Pte, unshare: boolean): Steps<FaultErrno> {
    const { kernel } = this;
    const old = ptePfn(leaf);
    const ownsPage = vma.reservation !== null && kernel.folios.testFlag(old, FolioFlag.Anon);
    if (!vmfAnonPrepare(kernel, mm, vma)) return Errno.ENOMEM;
    const index = vma.indexOf(start);
    const isPromised = !ownsPage && (reservationOf(vma)?.isOpen(index) ?? false);
    const copied = allocForArea(kernel, vma, index, ownsPage);
    if (copied === NO_PFN) {
      if (!ownsPage) return this.noPage(mm, start);
      yield* this.takeFromOthers(vma, start, old);
      return Errno.OK;
    }
    kernel.folios.get(old);
    kernel.memory.copyPages(copied, old, PMD_PAGES);
    if (kernel.sched.reach(HugetlbStep.copied, start, old, copied, mm.id)) yield STEP;
    const range = notifierRange(NotifyEvent.Clear, start, (start + PMD_PAGES) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const replaced = this.replacePage(mm, vma, start, leaf, copied, unshare ? PteBit.Young : WRITTEN);
    yield* mm.notifiers.invalidateEnd(range);
    if (replaced) kernel.folios.put(old);
    else this.giveBack(vma, copied, index, isPromised);
    kernel.folios.put(old);
    return Errno.OK;
  }

  /** Under the page-table lock, if the entry still is the same. The caller drops the old entry's reference. */
  private replacePage(mm: Mm, vma: Vma, start: Vpn, leaf: Pte, copied: Pfn, bits: number): boolean {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(start);
    if (slot < 0 || !isLeafAt(mm.pageTable, start)) return false;
    if (readLeaf(mm.pageTable, slot) !== leaf) return false;
    clearLeaf(mm.pageTable, slot);
    this.kernel.flushCpuTlbs();
    folios.removeEntireRmap(ptePfn(leaf));
    this.mapOwn(mm, vma, start, copied, bits);
    this.kernel.sched.at(HugetlbStep.broken, start, ptePfn(leaf), copied, mm.id);
    return true;
  }

  /** Every process but the one that holds the promises loses its mapping of the page, and gets no other. @kernel unmap_ref_private */
  private *takeFromOthers(vma: Vma, start: Vpn, head: Pfn): Steps<void> {
    const index = vma.indexOf(start);
    const areas = vma.file?.mapping.areas;
    const losers: { mm: Mm; area: Vma; page: Vpn }[] = [];
    for (let node = areas?.firstOverlap(index, index + PMD_PAGES) ?? null; node !== null; ) {
      const { mm, vma: area } = node.value;
      if (area !== vma && !area.isShared && area.reservation === null) {
        mm.grab();
        losers.push({ mm, area, page: area.addressOfIndex(index) as Vpn });
      }
      node = areas?.nextOverlap(node, index, index + PMD_PAGES) ?? null;
    }
    for (const { mm, area, page } of losers) {
      yield* this.takeFrom(mm, area, page, head);
      mm.drop();
    }
  }

  /** @kernel unmap_hugepage_range */
  private *takeFrom(mm: Mm, area: Vma, page: Vpn, head: Pfn): Steps<void> {
    const range = notifierRange(NotifyEvent.Clear, page, (page + PMD_PAGES) as Vpn);
    yield* mm.notifiers.invalidateStart(range);
    const slot = mm.pageTable.slot(page);
    if (slot >= 0 && isLeafAt(mm.pageTable, page) && ptePfn(readLeaf(mm.pageTable, slot)) === head) {
      clearLeaf(mm.pageTable, slot);
      this.kernel.flushCpuTlbs();
      this.kernel.folios.removeEntireRmap(head);
      area.lostHugePages = true;
      this.kernel.sched.at(HugetlbStep.taken, page, head, mm.id);
      this.kernel.folios.put(head);
    }
    yield* mm.notifiers.invalidateEnd(range);
  }
}
