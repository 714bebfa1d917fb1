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
import { FaultFlag } from '../fault/faultFlag.js';
import { folioLockOrRetry } from '../fault/folioLockOrRetry.js';
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
type NoPage = Exclude<FaultOrRetry, typeof Errno.OK>;
const WRITTEN = PteBit.Write | PteBit.Young | PTE_WRITTEN;

/** What was accessed and how, under mmap_lock. @kernel vm_fault */
interface FaultedPage {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly file: MappedFile;
  readonly page: Vpn;
  readonly write: boolean;
  /** Of `FaultFlag`. */
  readonly flags: number;
}

export class FileFault {
  constructor(private readonly kernel: Kernel) {}

  /**
   * The entry is empty; mmap_lock is held for read, and the area allows the access. Errors: -EFAULT beyond the end of the file or where the
   * driver serves no faults (SIGBUS), -ENOMEM; -EAGAIN, only with `FaultFlag.AllowRetry`, when mmap_lock was dropped to wait for a handler that fills
   * the page, or for the page's lock.
   * @kernel do_fault
   */
  *handle(mm: Mm, vma: Vma, page: Vpn, write: boolean, flags: number): Steps<FaultOrRetry> {
    const { file } = vma;
    assert(file !== null, 'a file fault needs a file');
    if (!file.type.servesFaults) return Errno.EFAULT;
    const faulted = { mm, vma, file, page, write, flags };
    if (!write) return yield* this.readFault(faulted);
    return vma.isShared ? yield* this.sharedFault(faulted) : yield* this.copyFault(faulted);
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
  private *readFault(faulted: FaultedPage): Steps<FaultOrRetry> {
    this.mapAround(faulted);
    if (faulted.mm.pageTable.get(faulted.page) !== PTE_NONE) return Errno.OK;
    const pfn = yield* this.lockPage(faulted);
    if (pfn < 0) return pfn as NoPage;
    return yield* this.mapLocked(faulted, pfn as Pfn);
  }

  /** @kernel do_shared_fault */
  private *sharedFault(faulted: FaultedPage): Steps<FaultOrRetry> {
    const pfn = yield* this.lockPage(faulted);
    if (pfn < 0) return pfn as NoPage;
    return yield* this.mapLocked(faulted, pfn as Pfn);
  }

  /** A store to a private mapping: the page becomes an anonymous copy, and the file is not touched. @kernel do_cow_fault */
  private *copyFault(faulted: FaultedPage): Steps<FaultOrRetry> {
    const { mm, vma, page } = faulted;
    const { folios, memory, sched } = this.kernel;
    if (!vmfAnonPrepare(this.kernel, mm, vma)) return Errno.ENOMEM;
    const copied = this.kernel.allocPage();
    if (copied === NO_PFN) return Errno.ENOMEM;
    const source = yield* this.lockPage(faulted);
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
  private mapAround({ mm, vma, file, page }: FaultedPage): void {
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
   * The page of the file, locked and with a reference, so that it stays where it is in the file. Errors as those of the fault.
   * @kernel filemap_fault, shmem_fault
   */
  private *lockPage(faulted: FaultedPage): Steps<Pfn | NoPage> {
    const { mm, vma, file, page, write, flags } = faulted;
    const { folios, pageCache } = this.kernel;
    const index = vma.indexOf(page);
    for (;;) {
      if (index >= file.mapping.npages) return this.beyondEnd(file, index);
      if (vma.isUserfaulted && pageCache.isHole(file.mapping, index))
        return yield* askUserspace(mm, page, write, (flags & FaultFlag.AllowRetry) !== 0);
      const pfn = pageCache.grab(file.mapping, index);
      if (pfn === NO_PFN) return Errno.ENOMEM;
      folios.get(pfn);
      if (!(yield* this.lockOrRetry(faulted, pfn))) {
        folios.put(pfn);
        return Errno.EAGAIN;
      }
      const isInFile = index < file.mapping.npages && pageCache.find(file.mapping, index) === pfn;
      if (isInFile) return pfn;
      this.unlockAndPut(pfn);
    }
  }

  /** False: mmap_lock was dropped to wait. @kernel lock_folio_maybe_drop_mmap, shmem_get_folio_gfp */
  private *lockOrRetry({ mm, file, flags }: FaultedPage, pfn: Pfn): Steps<boolean> {
    if (file.type.waitsWithoutMmapLock) return yield* folioLockOrRetry(this.kernel, mm, pfn, flags);
    const { folioLocks } = this.kernel;
    if (!folioLocks.trylock(pfn)) yield* folioLocks.lock(pfn);
    return true;
  }

  /** @kernel VM_FAULT_SIGBUS */
  private beyondEnd(file: MappedFile, index: number): typeof Errno.EFAULT {
    this.kernel.sched.at(FileFaultStep.beyondFile, index, file.mapping.id);
    return Errno.EFAULT;
  }

  /** If the entry still is empty. @kernel finish_fault, fault_dirty_shared_page */
  private *mapLocked({ mm, vma, page, write }: FaultedPage, pfn: Pfn): Steps<FaultErrno> {
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
