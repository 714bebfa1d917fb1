/** userfaultfd for missing pages: a program fills the pages of its own memory when they are first touched. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { WaitQueue } from '../../sim/waitQueue.js';
import { MMAP_MIN } from '../area/unmappedArea.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { VmaEdit } from '../area/vmaEdit.js';
import { SHMEM_FILE } from '../file/fileType.js';
import { mapFilePage } from '../file/mapFilePage.js';
import type { MappedFile } from '../file/mappedFile.js';
import { splitHugePmdsAcross } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { vmfAnonPrepare } from '../rmap/anonVmaPrepare.js';
import { makePte, PTE_NONE, PTE_WRITTEN, PteBit, PteKind } from '../table/pte.js';
import { mapNewAnonPage } from './copyOnWrite.js';

export const UserfaultStep = {
  /** `flags` is 1 for a store. */
  raised: defineStep('userfault.raised', 'vpn', 'flags', 'id'),
  filled: defineStep('userfault.filled', 'vpn', 'pfn', 'errno', 'id'),
} as const;

/** Memory that has nothing to be read from but its handler. @kernel vma_can_userfault */
function canUserfault(vma: Vma): boolean {
  return vma.isAnonymous || vma.file?.type === SHMEM_FILE;
}

/** What a call is given lies where programs may have memory. It is asked before anything else, whether something is mapped there or not. @kernel validate_range */
function isValidRange(start: Vpn, npages: number): boolean {
  return npages > 0 && start >= MMAP_MIN && start < TASK_SIZE_PAGES && npages <= TASK_SIZE_PAGES - start;
}

/** The file ends before the page, perhaps since the touch that is served; also for a private mapping, which would never read it. @kernel mfill_file_over_size */
function isBeyondFile(vma: Vma, page: Vpn): boolean {
  return vma.file !== null && vma.indexOf(page) >= vma.file.mapping.npages;
}

/** The page counts as written whoever may write it. */
function writtenBits(vma: Vma): number {
  const access = (vma.isWritable ? PteBit.Write : 0) | (vma.isAccessible ? 0 : PteBit.ProtNone);
  return access | PteBit.Young | PTE_WRITTEN;
}

/** A touch of a missing page that waits to be served. @kernel uffd_msg */
export interface Userfault {
  readonly page: Vpn;
  readonly write: boolean;
}

/** At most one per address space, besides those that are being closed; a fork's child has none. @kernel userfaultfd_ctx */
export class Userfaultfd {
  private pending: Userfault[] = [];
  /** Its end has begun: who registers memory now needs another one. */
  isClosed = false;
  private readonly readers: WaitQueue;
  private readonly faulting: WaitQueue;

  constructor(
    private readonly kernel: Kernel,
    private readonly mm: Mm,
    private readonly edit: VmaEdit,
  ) {
    this.readers = new WaitQueue(kernel.sched, `a userfault in mm ${mm.id}`);
    this.faulting = new WaitQueue(kernel.sched, `the handler of userfaults in mm ${mm.id}`);
    mm.userfaultfd = this;
  }

  /**
   * From now on missing pages of the range are the handler's to fill; holes in it stay holes. Errors, before anything is changed: -EINVAL for no pages,
   * outside the address space, when nothing of it is mapped, or something that is no memory without a disk, -EPERM for what may never be written; and
   * -ENOMEM. Takes mmap_lock for write. @kernel userfaultfd_register
   */
  *register(start: Vpn, npages: number): Steps<Errno> {
    if (!isValidRange(start, npages)) return Errno.EINVAL;
    const end = (start + npages) as Vpn;
    yield* this.mm.mmapLock.write();
    const errno = this.checkRange(start, end) || (yield* this.setFlag(start, end, VmFlag.UffdMissing));
    this.mm.mmapLock.writeUnlock();
    return errno;
  }

  /** Missing pages of the range are zeros again, also for those who wait. @kernel userfaultfd_unregister */
  *unregister(start: Vpn, npages: number): Steps<Errno> {
    if (!isValidRange(start, npages)) return Errno.EINVAL;
    const end = (start + npages) as Vpn;
    yield* this.mm.mmapLock.write();
    const errno = this.checkRange(start, end) || (yield* this.setFlag(start, end, 0));
    this.mm.mmapLock.writeUnlock();
    this.forget(start, end);
    this.faulting.wakeAll();
    return errno;
  }

  /**
   * The handler closes it or dies: missing pages are zeros again, for devices too that still hold the address space and wait. No lock is held.
   * @kernel userfaultfd_release
   */
  *release(): Steps<void> {
    const { mm } = this;
    this.isClosed = true;
    this.readers.wakeAll();
    if (mm.getNotZero()) {
      yield* mm.mmapLock.write();
      this.clearAll();
      mm.mmapLock.writeUnlock();
      this.pending = [];
      this.faulting.wakeAll();
      mm.put();
    }
    if (mm.userfaultfd === this) mm.userfaultfd = null;
  }

  /** The next touch of a missing page; waits for one. Null once it is closed. @kernel userfaultfd_read */
  *read(): Steps<Userfault | null> {
    while (!this.isClosed) {
      const fault = this.pending.shift();
      if (fault !== undefined) return fault;
      yield* this.readers.wait();
    }
    return null;
  }

  /** The number of touches that nobody has read. */
  get waiting(): number {
    return this.pending.length;
  }

  /**
   * Puts a page where there is none and lets those go on that wait; `fill` writes the whole page. Errors: -EINVAL outside the address space,
   * -EEXIST when there is one already, -EFAULT beyond the end of the file, -ENOENT outside registered memory and where the address space is gone (-ESRCH of the kernel), -ENOMEM. Takes mmap_lock for read. @kernel UFFDIO_COPY, mfill_atomic_copy
   */
  *copy(page: Vpn, fill: (pfn: Pfn) => void): Steps<Errno> {
    if (!isValidRange(page, 1)) return Errno.EINVAL;
    const pfn = this.kernel.allocPage();
    if (pfn === NO_PFN) return Errno.ENOMEM;
    fill(pfn);
    return yield* this.install(page, pfn);
  }

  /** The same with a page of zeros. @kernel UFFDIO_ZEROPAGE, mfill_atomic_zeropage */
  *zeroPage(page: Vpn): Steps<Errno> {
    if (!isValidRange(page, 1)) return Errno.EINVAL;
    return yield* this.install(page, NO_PFN);
  }

  /**
   * A fault found the page missing. mmap_lock, held for read, is dropped before it waits: the handler must be able to take it. The fault may have
   * slept since it looked; nobody hears of a page that has come meanwhile.
   * @kernel handle_userfault, userfaultfd_must_wait
   */
  *wait(page: Vpn, write: boolean): Steps<void> {
    if (this.mm.pageTable.get(page) !== PTE_NONE) {
      this.mm.mmapLock.readUnlock();
      return;
    }
    this.kernel.sched.at(UserfaultStep.raised, page, write ? 1 : 0, this.mm.id);
    if (!this.pending.some((fault) => fault.page === page)) this.pending.push({ page, write });
    this.readers.wakeAll();
    this.mm.mmapLock.readUnlock();
    yield* this.faulting.wait();
  }

  private *install(page: Vpn, pfn: Pfn): Steps<Errno> {
    const { sched, folios } = this.kernel;
    const errno = this.mm.getNotZero() ? yield* this.mapLocked(page, pfn) : Errno.ENOENT;
    if (errno !== Errno.OK && pfn !== NO_PFN) folios.put(pfn);
    this.faulting.wakeAll();
    if (sched.reach(UserfaultStep.filled, page, pfn, errno, this.mm.id)) yield STEP;
    return errno;
  }

  private *mapLocked(page: Vpn, pfn: Pfn): Steps<Errno> {
    const { mm } = this;
    yield* mm.mmapLock.read();
    const errno = this.map(page, pfn);
    mm.mmapLock.readUnlock();
    if (errno === Errno.OK) this.forget(page, (page + 1) as Vpn);
    mm.put();
    return errno;
  }

  /** Nobody waits for these pages any more. */
  private forget(start: Vpn, end: Vpn): void {
    this.pending = this.pending.filter(({ page }) => page < start || page >= end);
  }

  /** Under the page-table lock. @kernel mfill_atomic_install_pte */
  private map(page: Vpn, pfn: Pfn): Errno {
    const { mm, kernel } = this;
    const vma = mm.vmas.find(page);
    if (vma === null || !vma.isUserfaulted) return Errno.ENOENT;
    const isPrepared = vma.isShared || vmfAnonPrepare(kernel, mm, vma);
    const slot = isPrepared ? mm.pageTable.ensure(page) : -1;
    if (slot < 0) return Errno.ENOMEM;
    if (isBeyondFile(vma, page)) return Errno.EFAULT;
    if (mm.pageTable.read(slot) !== PTE_NONE) return Errno.EEXIST;
    if (vma.isShared && vma.file !== null) return this.mapShared(vma, vma.file, page, pfn);
    if (pfn === NO_PFN) mm.pageTable.write(slot, makePte(PteKind.Present, kernel.zeroPage, PteBit.Young));
    else mapNewAnonPage(kernel, mm, vma, page, pfn, writtenBits(vma));
    return Errno.OK;
  }

  /** The page, without one a fresh page of zeros, becomes the file's. @kernel shmem_mfill_atomic_pte */
  private mapShared(vma: Vma, { mapping }: MappedFile, page: Vpn, filled: Pfn): Errno {
    const { mm, kernel } = this;
    const index = vma.indexOf(page);
    if (!kernel.pageCache.isHole(mapping, index)) return Errno.EEXIST;
    const pfn = filled === NO_PFN ? this.allocZeroed() : filled;
    if (pfn === NO_PFN) return Errno.ENOMEM;
    kernel.pageCache.fillHole(mapping, index, pfn);
    mapFilePage(kernel, mm, vma, page, pfn, writtenBits(vma));
    return Errno.OK;
  }

  private allocZeroed(): Pfn {
    const pfn = this.kernel.allocPage();
    if (pfn !== NO_PFN) this.kernel.memory.zeroPages(pfn, 1);
    return pfn;
  }

  private clearAll(): void {
    const { mm, edit } = this;
    let vma = mm.vmas.firstFrom(0 as Vpn);
    while (vma !== null) {
      const { start, end, flags } = vma;
      if ((flags & VmFlag.UffdMissing) !== 0) {
        const errno = edit.modifyFlags(mm, vma, start, end, flags & ~VmFlag.UffdMissing);
        assert(errno !== Errno.ENOMEM, 'a whole area changes its flags without memory');
      }
      vma = mm.vmas.firstFrom(end);
    }
  }

  private checkRange(start: Vpn, end: Vpn): Errno {
    const { vmas } = this.mm;
    let vma = vmas.firstIn(start, end);
    if (vma === null) return Errno.EINVAL;
    for (; vma !== null; vma = vmas.firstIn(vma.end, end)) {
      if (!canUserfault(vma)) return Errno.EINVAL;
      if ((vma.flags & VmFlag.MayWrite) === 0) return Errno.EPERM;
    }
    return Errno.OK;
  }

  private *setFlag(start: Vpn, end: Vpn, flag: number): Steps<Errno> {
    const { mm, edit, kernel } = this;
    for (let at = start; at < end; ) {
      const vma = mm.vmas.firstIn(at, end);
      if (vma === null) break;
      const from = Math.max(at, vma.start) as Vpn;
      at = Math.min(vma.end, end) as Vpn;
      const flags = (vma.flags & ~VmFlag.UffdMissing) | flag;
      if (flags === vma.flags) continue;
      yield* splitHugePmdsAcross(kernel, mm, from, at);
      if (edit.modifyFlags(mm, vma, from, at, flags) === Errno.ENOMEM) return Errno.ENOMEM;
    }
    return Errno.OK;
  }
}
