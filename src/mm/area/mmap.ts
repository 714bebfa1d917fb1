/** mmap, munmap and brk: making and removing areas. */

import { Errno } from '../../base/errno.js';
import { alignUp, PMD_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { HUGETLB_FILE } from '../file/fileType.js';
import { insertPages } from '../file/insertPages.js';
import type { MappedFile } from '../file/mappedFile.js';
import type { PageCache } from '../file/pageCache.js';
import { splitHugePmdsAcross } from '../huge/hugeLeaf.js';
import { reserveArea } from '../hugetlb/hugetlbArea.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { isFailure, type PageOrErrno } from '../table/pageResult.js';
import type { Mlock } from './mlock.js';
import { checkFixedArea, getUnmappedArea, MAP_COUNT_MAX, roundHintToMin } from './unmappedArea.js';
import type { UnmapRegion } from './unmapRegion.js';
import { hasSpecialFlags, VmFlag } from './vma.js';
import type { VmaEdit } from './vmaEdit.js';

export const MmapStep = {
  mmap: defineStep('mm.mmap', 'vpn', 'npages', 'flags', 'id'),
  /** `flags` is the protection; on an error the page is the hint. */
  mapped: defineStep('mm.mapped', 'vpn', 'npages', 'flags', 'errno'),
  munmap: defineStep('mm.munmap', 'vpn', 'npages', 'id'),
  unmapped: defineStep('mm.unmapped', 'vpn', 'npages', 'errno', 'id'),
  brk: defineStep('mm.brk', 'vpn', 'id'),
} as const;

/** What a mapping allows; the bits are those of {@link VmFlag}. @kernel PROT_READ, PROT_WRITE, PROT_EXEC */
export const Prot = { None: 0, Read: VmFlag.Read, Write: VmFlag.Write, Exec: VmFlag.Exec } as const;

/** All bits of {@link Prot}. @kernel VM_ACCESS_FLAGS */
export const PROT_MASK = VmFlag.Read | VmFlag.Write | VmFlag.Exec;

/** MAP_PRIVATE is implied without Shared, and MAP_ANONYMOUS without a file. */
export const MapFlag = {
  /** Exactly there, replacing what is mapped. @kernel MAP_FIXED */
  Fixed: 1,
  /** Exactly there, or -EEXIST. @kernel MAP_FIXED_NOREPLACE */
  FixedNoReplace: 2,
  NoReserve: 4,
  Stack: 8,
  /** @kernel MAP_SHARED */
  Shared: 16,
  /** The pages stay in memory. @kernel MAP_LOCKED */
  Locked: 32,
  /** Huge pages from the pool; the length is rounded up to whole ones. @kernel MAP_HUGETLB */
  Hugetlb: 64,
} as const;

export interface MmapArgs {
  /** 0 for anywhere; with a fixed flag the place itself. */
  readonly hint: Vpn;
  readonly npages: number;
  /** Of {@link Prot}. */
  readonly prot: number;
  /** Of {@link MapFlag}. */
  readonly flags: number;
  /** What to map; absent or null for anonymous memory, which is a nameless file of its own if it is shared. */
  readonly file?: MappedFile | null;
  /** The page of the file that comes first; 0 unless told. */
  readonly fileOffset?: number;
}

export class MemoryMap {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    private readonly unmapRegion: UnmapRegion,
    /** Fills locked areas; null where nobody asks for them. */
    private readonly mlock: Mlock | null = null,
  ) {}

  /**
   * Maps memory or a file and returns the first page. Errors: -EINVAL for no pages, -ENOMEM beyond the address space or when no stretch, no
   * more areas or (for a driver's pages) no memory is left, or the pool has not enough huge pages, -EEXIST, -EINVAL for a fixed place that is not
   * aligned to the huge pages that go or went there, -EPERM for a fixed place below vm.mmap_min_addr, -EACCES for a writable
   * shared mapping of a file that was opened for reading. Takes mmap_lock for write.
   * @kernel do_mmap
   */
  *mmap(mm: Mm, wanted: MmapArgs): Steps<PageOrErrno> {
    const args = isHugetlb(wanted) ? { ...wanted, npages: alignUp(wanted.npages, PMD_PAGES) } : wanted;
    const { sched, costs } = this.kernel;
    if (sched.reach(MmapStep.mmap, args.hint, args.npages, args.flags, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    yield* mm.mmapLock.write();
    const start = yield* this.mapLocked(mm, args);
    mm.mmapLock.writeUnlock();
    const failed = isFailure(start);
    // Like the kernel it does not matter to the caller if that fails.
    if (!failed && (args.flags & MapFlag.Locked) !== 0 && this.mlock !== null)
      yield* this.mlock.populate(mm, start, (start + args.npages) as Vpn);
    sched.at(MmapStep.mapped, failed ? args.hint : start, args.npages, args.prot, failed ? start : Errno.OK);
    return start;
  }

  /**
   * Unmaps whatever lies in the range; nothing there is no error. Errors: -EINVAL for no pages, beyond the address space or
   * through a hugetlb page, -ENOMEM when a split would make too many areas. Takes mmap_lock for write, and for read while entries are cleared.
   * @kernel __vm_munmap
   */
  *munmap(mm: Mm, start: Vpn, npages: number): Steps<Errno> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MmapStep.munmap, start, npages, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    yield* mm.mmapLock.write();
    const errno = yield* this.unmapRegion.unmapAndUnlock(mm, start, (start + npages) as Vpn);
    sched.at(MmapStep.unmapped, start, npages, errno, mm.id);
    return errno;
  }

  /**
   * Moves the end of the heap to `end` and returns where it is afterwards: the old end when that cannot be done, as brk has no errno. `end`
   * 0 asks only. The heap starts at `mm.brkStart`.
   * @kernel sys_brk
   */
  *brk(mm: Mm, end: Vpn): Steps<Vpn> {
    const { sched, costs } = this.kernel;
    if (sched.reach(MmapStep.brk, end, mm.id)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    yield* mm.mmapLock.write();
    if (end >= mm.brkStart && end < mm.brkEnd) return yield* this.shrinkHeapAndUnlock(mm, end);
    if (end > mm.brkEnd) this.growHeap(mm, end);
    const brk = mm.brkEnd;
    mm.mmapLock.writeUnlock();
    return brk;
  }

  private *mapLocked(mm: Mm, args: MmapArgs): Steps<PageOrErrno> {
    if (args.npages <= 0) return Errno.EINVAL;
    if (mm.vmas.size > MAP_COUNT_MAX) return Errno.ENOMEM;
    const start = this.chooseStart(mm, args);
    if (isFailure(start)) return start;
    if (!mayStoreToFile(args)) return Errno.EACCES;
    if (!this.edit.reserve(1)) return Errno.ENOMEM;
    const end = (start + args.npages) as Vpn;
    const errno = yield* this.unmapRegion.unmap(mm, start, end);
    if (errno !== Errno.OK) return errno;
    const placed = this.placeArea(mm, start, args);
    if (placed === Errno.OK) return start;
    yield* this.unmapRegion.unmap(mm, start, end);
    return placed;
  }

  /** The range is free. @kernel mmap_region */
  private placeArea(mm: Mm, start: Vpn, args: MmapArgs): typeof Errno.OK | typeof Errno.ENOMEM {
    const { pageCache } = this.kernel;
    const file = args.file ?? newFileFor(pageCache, args);
    const pgoff = file === null ? start : (args.fileOffset ?? 0);
    const end = (start + args.npages) as Vpn;
    const vma = this.edit.place(mm, { start, end, flags: vmFlags(args), pgoff, file, source: null });
    if (file !== null && file !== args.file) pageCache.close(file);
    if (file?.type.isHugetlb === true && (vma.flags & VmFlag.NoReserve) === 0)
      return reserveArea(this.kernel, vma) ? Errno.OK : Errno.ENOMEM;
    return file?.type.insertsPages === true ? insertPages(this.kernel, mm, vma) : Errno.OK;
  }

  private chooseStart(mm: Mm, args: MmapArgs): PageOrErrno {
    const { hint, npages, flags } = args;
    const align = isHugetlb(args) ? PMD_PAGES : 1;
    if ((flags & (MapFlag.Fixed | MapFlag.FixedNoReplace)) === 0)
      return getUnmappedArea(mm, roundHintToMin(hint), npages, align);
    const errno = hint % align === 0 ? checkFixedArea(hint, npages) : Errno.EINVAL;
    if (errno !== Errno.OK) return errno;
    const mustBeFree = (flags & MapFlag.FixedNoReplace) !== 0;
    if (mustBeFree && mm.vmas.firstIn(hint, (hint + npages) as Vpn) !== null) return Errno.EEXIST;
    return hint;
  }

  /** A heap of which the program itself has unmapped what is to go stays as it is. @kernel sys_brk */
  private *shrinkHeapAndUnlock(mm: Mm, end: Vpn): Steps<Vpn> {
    const oldEnd = mm.brkEnd;
    const isThere = mm.vmas.firstIn(end, oldEnd) !== null;
    if (isThere) yield* splitHugePmdsAcross(this.kernel, mm, end, oldEnd);
    const region = isThere ? this.unmapRegion.detach(mm, end, oldEnd) : null;
    if (region === null || region === Errno.ENOMEM) {
      mm.mmapLock.writeUnlock();
      return oldEnd;
    }
    mm.brkEnd = end;
    yield* this.unmapRegion.clearAndUnlock(mm, region);
    return end;
  }

  /** One page stays free above the heap. @kernel do_brk_flags */
  private growHeap(mm: Mm, end: Vpn): void {
    const start = mm.brkEnd;
    const fits =
      checkFixedArea(start, end - start) === Errno.OK &&
      mm.vmas.firstIn(start, (end + 1) as Vpn) === null &&
      mm.vmas.size <= MAP_COUNT_MAX &&
      this.edit.reserve(1);
    if (fits) {
      this.edit.place(mm, { start, end, flags: HEAP_FLAGS, pgoff: start, file: null, source: null });
      mm.brkEnd = end;
    }
  }
}

/** Memory of huge pages from the pool, with or without a name. */
function isHugetlb({ flags, file }: MmapArgs): boolean {
  return file?.type.isHugetlb ?? (flags & MapFlag.Hugetlb) !== 0;
}

/** The nameless file of a mapping without one: of hugetlb memory in any case, else where it is shared. @kernel hugetlb_file_setup, shmem_zero_setup */
function newFileFor(pageCache: PageCache, { npages, flags }: MmapArgs): MappedFile | null {
  if ((flags & MapFlag.Hugetlb) !== 0) return pageCache.create(npages, HUGETLB_FILE);
  return (flags & MapFlag.Shared) !== 0 ? pageCache.create(npages) : null;
}

/** @kernel VM_DATA_DEFAULT_FLAGS, VM_ACCOUNT */
const HEAP_FLAGS = Prot.Read | Prot.Write | VmFlag.MayWrite | VmFlag.Account;

/** @kernel do_mmap (MAP_SHARED of a file without FMODE_WRITE) */
function mayStoreToFile({ prot, flags, file }: MmapArgs): boolean {
  const wantsTo = (flags & MapFlag.Shared) !== 0 && (prot & Prot.Write) !== 0;
  return !wantsTo || (file?.isWritable ?? true);
}

/** @kernel calc_vm_flag_bits, do_mmap, accountable_mapping */
function vmFlags(args: MmapArgs): number {
  const { prot, flags } = args;
  let vm = (prot & PROT_MASK) | VmFlag.MayWrite;
  if ((flags & MapFlag.NoReserve) !== 0) vm |= VmFlag.NoReserve;
  if ((flags & MapFlag.Stack) !== 0) vm |= VmFlag.Stack;
  if ((flags & MapFlag.Locked) !== 0) vm |= VmFlag.Locked;
  if ((flags & MapFlag.Shared) !== 0) vm = sharedFlags(vm, args);
  if (args.file?.type.insertsPages) vm |= VmFlag.MixedMap;
  if (isHugetlb(args)) vm |= VmFlag.Hugetlb;
  // They are filled all the same. @kernel vma_supports_mlock
  if (hasSpecialFlags(vm)) vm &= ~VmFlag.Locked;
  if (isHugetlb(args)) return vm;
  const isCharged = (vm & (VmFlag.NoReserve | VmFlag.Shared | VmFlag.Write)) === VmFlag.Write;
  return isCharged ? vm | VmFlag.Account : vm;
}

/** Of a file that was opened for reading, a shared mapping is no more than a private one that nobody writes. */
function sharedFlags(vm: number, { file }: MmapArgs): number {
  if (file?.isWritable ?? true) return vm | VmFlag.Shared | VmFlag.MayShare;
  return (vm | VmFlag.MayShare) & ~VmFlag.MayWrite;
}
