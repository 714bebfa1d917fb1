/** CPU faults on pages of files: what stands behind a missing entry, and who may store. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import { askUserspace } from '../fault/askUserspace.js';
import { mapNewAnonPage } from '../fault/copyOnWrite.js';
import type { FaultErrno, FaultOrRetry } from '../fault/fault.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
import { PTE_NONE, PTE_WRITTEN, type Pte, PteBit, pteFromWord, ptePfn, pteWith } from '../table/pte.js';
import { replacePte } from '../table/pteUpdate.js';
import { mapFilePage } from './mapFilePage.js';
import type { MappedFile } from './mappedFile.js';

export const FileFaultStep = {
  /** Cached neighbours were mapped with the page. */
  around: defineStep('fault.around', 'vpn', 'npages', 'id'),
  /** The page is locked; the entry may have been filled meanwhile. */
  locked: defineStep('fault.fileLocked', 'vpn', 'pfn', 'id'),
  /** SIGBUS: the file ends before the page. */
  beyondFile: defineStep('fault.beyondFile', 'count', 'id'),
  mapped: defineStep('fault.fileMapped', 'vpn', 'pfn', 'id'),
  copied: defineStep('fault.fileCopied', 'vpn', 'pfn', 'pfn', 'id'),
  /** A store through a shared mapping to a page that was present. */
  reused: defineStep('fault.fileReused', 'vpn', 'pfn', 'id'),
} as const;

/** Pages that a read fault maps if they are in memory. @kernel fault_around_bytes */
const AROUND_PAGES = 16;
/** The page is a handler's to fill. */
const MISSING = Errno.EAGAIN;
type NoPage = typeof Errno.EFAULT | typeof Errno.ENOMEM | typeof MISSING;
const WRITTEN = PteBit.Write | PteBit.Young | PTE_WRITTEN;

export class FileFault {
  constructor(private readonly kernel: Kernel) {}

  /**
   * The entry is empty; mmap_lock is held for read, and the area allows the access. Errors: -EFAULT beyond the end of the file or where the
   * driver serves no faults (SIGBUS), -ENOMEM; -EAGAIN, only with `mayRetry`, when mmap_lock was dropped while a handler filled the page.
   * @kernel do_fault
   */
  *handle(mm: Mm, vma: Vma, page: Vpn, write: boolean, mayRetry: boolean): Steps<FaultOrRetry> {
    const errno = yield* this.serve(mm, vma, page, write);
    return errno === MISSING ? yield* askUserspace(mm, page, write, mayRetry) : errno;
  }

  private *serve(mm: Mm, vma: Vma, page: Vpn, write: boolean): Steps<FaultErrno | typeof MISSING> {
    const { file } = vma;
    assert(file !== null, 'a file fault needs a file');
    if (!file.type.servesFaults) return Errno.EFAULT;
    if (!write) return yield* this.readFault(mm, vma, file, page);
    return vma.isShared
      ? yield* this.sharedFault(mm, vma, file, page)
      : yield* this.copyFault(mm, vma, file, page);
  }

  /** A store through a shared mapping to a page that is present and read-only. `pte` was read in this atomic section. @kernel wp_page_shared */
  *makeWritable(mm: Mm, vma: Vma, page: Vpn, pte: Pte): Steps<FaultErrno> {
    const pfn = ptePfn(pte);
    if (!vma.wantsWriteNotify) {
      this.allowStore(mm, page, pte);
      return Errno.OK;
    }
    const { folios, folioLocks } = this.kernel;
    folios.get(pfn);
    yield* folioLocks.lock(pfn);
    if (pteFromWord(mm.pageTable.get(page)) === pte) this.allowStore(mm, page, pte);
    folioLocks.unlock(pfn);
    folios.put(pfn);
    return Errno.OK;
  }

  /** @kernel do_read_fault */
  private *readFault(mm: Mm, vma: Vma, file: MappedFile, page: Vpn): Steps<FaultErrno | typeof MISSING> {
    this.mapAround(mm, vma, file, page);
    if (mm.pageTable.get(page) !== PTE_NONE) return Errno.OK;
    const pfn = yield* this.lockPage(vma, file, page);
    if (pfn < 0) return pfn as NoPage;
    return yield* this.mapLocked(mm, vma, page, pfn as Pfn, false);
  }

  /** @kernel do_shared_fault */
  private *sharedFault(mm: Mm, vma: Vma, file: MappedFile, page: Vpn): Steps<FaultErrno | typeof MISSING> {
    const pfn = yield* this.lockPage(vma, file, page);
    if (pfn < 0) return pfn as NoPage;
    return yield* this.mapLocked(mm, vma, page, pfn as Pfn, true);
  }

  /** A store to a private mapping: the page becomes an anonymous copy, and the file is not touched. @kernel do_cow_fault */
  private *copyFault(mm: Mm, vma: Vma, file: MappedFile, page: Vpn): Steps<FaultErrno | typeof MISSING> {
    const { folios, memory, sched } = this.kernel;
    if (!vmfAnonPrepare(this.kernel, mm, vma)) return Errno.ENOMEM;
    const copied = this.kernel.allocPage();
    if (copied === NO_PFN) return Errno.ENOMEM;
    const source = yield* this.lockPage(vma, file, page);
    if (source < 0) {
      folios.put(copied);
      return source as NoPage;
    }
    memory.copyPages(copied, source as Pfn, 1);
    if (sched.reach(FileFaultStep.copied, page, source, copied, mm.id)) yield STEP;
    if (mm.pageTable.get(page) === PTE_NONE) mapNewAnonPage(this.kernel, mm, vma, page, copied);
    else folios.put(copied);
    this.unlockAndPut(source as Pfn);
    return Errno.OK;
  }

  /**
   * Under the page-table lock: maps what is in memory of a window, the page included. It begins aligned or with the area, and has its whole size
   * from there unless the area or the page table ends before. @kernel do_fault_around, filemap_map_pages
   */
  private mapAround(mm: Mm, vma: Vma, file: MappedFile, page: Vpn): void {
    const { folios, pageCache, sched } = this.kernel;
    const start = Math.max(page - (page % AROUND_PAGES), vma.start);
    const tableEnd = page - (page % PMD_PAGES) + PMD_PAGES;
    const end = Math.min(start + AROUND_PAGES, tableEnd, vma.end);
    const slot = mm.pageTable.slot(start);
    let mapped = 0;
    for (let at = start; at < end; at++) {
      if (mm.pageTable.read(slot + at - start) !== PTE_NONE) continue;
      const index = vma.indexOf(at as Vpn);
      if (index >= file.mapping.npages) break;
      const pfn = pageCache.find(file.mapping, index);
      if (pfn === NO_PFN || folios.isLocked(pfn)) continue;
      mapFilePage(this.kernel, mm, vma, at as Vpn, pfn, 0);
      mapped++;
    }
    if (mapped > 0) sched.at(FileFaultStep.around, page, mapped, mm.id);
  }

  /**
   * The page of the file, locked and with a reference, so that it stays where it is in the file. Errors as those of the fault, and `MISSING`.
   * @kernel filemap_fault, shmem_fault
   */
  private *lockPage(vma: Vma, file: MappedFile, page: Vpn): Steps<Pfn | NoPage> {
    const { folios, folioLocks, pageCache } = this.kernel;
    const index = vma.indexOf(page);
    for (;;) {
      if (index >= file.mapping.npages) return this.beyondEnd(file, index);
      if (vma.isUserfaulted && pageCache.isHole(file.mapping, index)) return MISSING;
      const pfn = pageCache.grab(file.mapping, index);
      if (pfn === NO_PFN) return Errno.ENOMEM;
      folios.get(pfn);
      if (!folioLocks.trylock(pfn)) yield* folioLocks.lock(pfn);
      const isInFile = index < file.mapping.npages && pageCache.find(file.mapping, index) === pfn;
      if (isInFile) return pfn;
      this.unlockAndPut(pfn);
    }
  }

  /** @kernel VM_FAULT_SIGBUS */
  private beyondEnd(file: MappedFile, index: number): typeof Errno.EFAULT {
    this.kernel.sched.at(FileFaultStep.beyondFile, index, file.mapping.id);
    return Errno.EFAULT;
  }

  /** If the entry still is empty. @kernel finish_fault, fault_dirty_shared_page */
  private *mapLocked(mm: Mm, vma: Vma, page: Vpn, pfn: Pfn, write: boolean): Steps<FaultErrno> {
    const { folios, sched } = this.kernel;
    if (sched.reach(FileFaultStep.locked, page, pfn, mm.id)) yield STEP;
    if (mm.pageTable.get(page) === PTE_NONE) {
      mapFilePage(this.kernel, mm, vma, page, pfn, write ? WRITTEN : 0);
      if (write) folios.setFlag(pfn, FolioFlag.Dirty);
      sched.at(FileFaultStep.mapped, page, pfn, mm.id);
    }
    this.unlockAndPut(pfn);
    return Errno.OK;
  }

  /** @kernel wp_page_reuse */
  private allowStore(mm: Mm, page: Vpn, pte: Pte): void {
    replacePte(mm.pageTable, mm.pageTable.slot(page), pteWith(pte, WRITTEN));
    this.kernel.folios.setFlag(ptePfn(pte), FolioFlag.Dirty);
    this.kernel.sched.at(FileFaultStep.reused, page, ptePfn(pte), mm.id);
  }

  private unlockAndPut(pfn: Pfn): void {
    this.kernel.folioLocks.unlock(pfn);
    this.kernel.folios.put(pfn);
  }
}
