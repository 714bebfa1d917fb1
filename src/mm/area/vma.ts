/** A virtual memory area: one run of pages with the same protection and backing. */

import type { Vpn } from '../../base/units.js';
import type { MappedFile } from '../file/mappedFile.js';
import type { HugetlbReservation } from '../hugetlb/hugetlbReservation.js';
import type { AnonVma, AnonVmaChain } from '../rmap/anonVma.js';

/** @kernel vm_flags_t */
export const VmFlag = {
  Read: 1,
  Write: 2,
  Exec: 4,
  /** Stores reach the file. @kernel VM_SHARED */
  Shared: 8,
  /** Grows or is a stack: kept for reports only. */
  Stack: 16,
  NoReserve: 32,
  /** mprotect may allow writing: not so for a shared mapping of a file that was opened read-only. @kernel VM_MAYWRITE */
  MayWrite: 64,
  /** Charged as private writable memory; stays once it is set, and so keeps areas from merging. @kernel VM_ACCOUNT */
  Account: 128,
  /** @kernel VM_LOCKED */
  Locked: 256,
  /** Not copied by fork. @kernel VM_DONTCOPY */
  DontCopy: 512,
  /** @kernel VM_HUGEPAGE */
  HugePage: 1024,
  /** @kernel VM_NOHUGEPAGE */
  NoHugePage: 2048,
  /** @kernel VM_HUGETLB */
  Hugetlb: 4096,
  /** A driver inserted pages of its own. @kernel VM_MIXEDMAP */
  MixedMap: 8192,
  /** Faults on missing pages go to a handler in user space. @kernel VM_UFFD_MISSING */
  UffdMissing: 16384,
  /** Mapped as shared, though stores may be forbidden for good. @kernel VM_MAYSHARE */
  MayShare: 32768,
  /** Made since soft-dirty bits were last cleared: all its pages read as soft-dirty, and stores need not be noticed. @kernel VM_SOFTDIRTY */
  SoftDirty: 131072,
} as const;

/** Areas with one of these flags are never merged, and migrate_vma refuses them. @kernel VM_SPECIAL */
const SPECIAL_FLAGS = VmFlag.MixedMap | VmFlag.Hugetlb;

export function hasSpecialFlags(flags: number): boolean {
  return (flags & SPECIAL_FLAGS) !== 0;
}

/** @kernel vm_area_struct */
export class Vma {
  /** Set at the first fault; new pages of this area carry it as their mapping. @kernel anon_vma */
  anonVma: AnonVma | null = null;
  /** All whose pages the area may map, its ancestors' first and its own last. @kernel anon_vma_chain */
  readonly anonVmaChain: AnonVmaChain[] = [];
  /** Huge pages that a private hugetlb mapping counts on: null after a fork, in the child. @kernel HPAGE_RESV_OWNER */
  reservation: HugetlbReservation | null = null;
  /** Lost huge pages to the process that they were promised to: what is missing now stays missing. @kernel HPAGE_RESV_UNMAPPED */
  lostHugePages = false;

  constructor(
    public start: Vpn,
    /** One past the last page. */
    public end: Vpn,
    public flags: number,
    /**
     * Page offset of `start`: in the file, if there is one, else in the area's anon_vma, where it is the start address itself unless the area
     * was moved by mremap.
     * @kernel vm_pgoff
     */
    public pgoff: number,
    /** Null for private anonymous memory. @kernel vm_file */
    readonly file: MappedFile | null = null,
  ) {}

  get pages(): number {
    return this.end - this.start;
  }

  get isReadable(): boolean {
    return (this.flags & VmFlag.Read) !== 0;
  }

  get isWritable(): boolean {
    return (this.flags & VmFlag.Write) !== 0;
  }

  /** Whether any access is allowed at all; if so, the CPU may read. @kernel vma_is_accessible */
  get isAccessible(): boolean {
    return (this.flags & (VmFlag.Read | VmFlag.Write | VmFlag.Exec)) !== 0;
  }

  /** Private memory without a file. @kernel vma_is_anonymous */
  get isAnonymous(): boolean {
    return this.file === null;
  }

  /** Missing pages are the handler's to fill. @kernel userfaultfd_missing */
  get isUserfaulted(): boolean {
    return (this.flags & VmFlag.UffdMissing) !== 0;
  }

  /** Whether stores reach the file, and so everybody who maps it. @kernel VM_SHARED */
  get isShared(): boolean {
    return (this.flags & VmFlag.Shared) !== 0;
  }

  /** @kernel is_vm_hugetlb_page */
  get isHugetlb(): boolean {
    return (this.flags & VmFlag.Hugetlb) !== 0;
  }

  /** @kernel VM_SPECIAL */
  get isSpecial(): boolean {
    return hasSpecialFlags(this.flags);
  }

  /** Soft-dirty bits were cleared since it was made: the first store to each page must fault. @kernel vma_soft_dirty_enabled */
  get tracksSoftDirty(): boolean {
    return (this.flags & VmFlag.SoftDirty) === 0;
  }

  /** Whether the first store to a clean page of a shared mapping must fault, so that somebody learns of it: the file's owner, or who reads soft-dirty bits. @kernel vma_wants_writenotify */
  get wantsWriteNotify(): boolean {
    if (!this.isShared || !this.isWritable) return false;
    // Soft-dirty bits are not kept for hugetlb memory.
    return (this.file?.type.tracksDirty ?? false) || (this.tracksSoftDirty && !this.isHugetlb);
  }

  /** Whether an entry for a page of the file may be writable at once, without a store. @kernel vm_page_prot */
  get mapsWritable(): boolean {
    return this.isShared && this.isWritable && !this.wantsWriteNotify;
  }

  /** Offset that a page at `page` has in the mapping. @kernel linear_page_index */
  indexOf(page: Vpn): number {
    return page - this.start + this.pgoff;
  }

  /** Where the page with this offset lies in the area, or -1 if outside. @kernel vma_address */
  addressOfIndex(index: number): number {
    const page = this.start + (index - this.pgoff);
    return page >= this.start && page < this.end ? page : -1;
  }
}
