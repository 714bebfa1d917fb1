/** The kinds of file that can be mapped, as far as they differ in what a mapping does. */

/** @kernel vm_operations_struct, inode_operations */
export interface FileType {
  readonly name: string;
  /** Missing pages are faulted in from the page cache; without, they are SIGBUS. @kernel vm_operations_struct.fault */
  readonly servesFaults: boolean;
  /** A fault that waits for a page's lock lets go of mmap_lock. @kernel lock_folio_maybe_drop_mmap */
  readonly waitsWithoutMmapLock: boolean;
  /** The first store through a shared mapping to each clean page faults, so that the page can be written back. @kernel page_mkwrite */
  readonly tracksDirty: boolean;
  /** mmap fills the area with zeroed pages of the driver, outside any page cache and LRU. @kernel vm_insert_page */
  readonly insertsPages: boolean;
  /** Its pages are huge ones, from the pool. @kernel is_file_hugepages */
  readonly isHugetlb: boolean;
}

/** Memory without a name, and tmpfs: holes read as zeros, pages are never clean. @kernel shmem_vm_ops */
export const SHMEM_FILE: FileType = {
  name: 'shmem',
  servesFaults: true,
  waitsWithoutMmapLock: false,
  tracksDirty: false,
  insertsPages: false,
  isHugetlb: false,
};

/** A file of a file system with a disk behind it, to which dirty pages are written back. @kernel generic_file_vm_ops */
export const DISK_FILE: FileType = {
  name: 'disk',
  servesFaults: true,
  waitsWithoutMmapLock: true,
  tracksDirty: true,
  insertsPages: false,
  isHugetlb: false,
};

/** A device node whose driver inserts its own pages. @kernel dmirror_fops_mmap */
export const DEVICE_FILE: FileType = {
  name: 'device',
  servesFaults: false,
  waitsWithoutMmapLock: false,
  tracksDirty: false,
  insertsPages: true,
  isHugetlb: false,
};

/** Memory of huge pages: what MAP_HUGETLB maps without a file is a nameless one of these. @kernel hugetlb_vm_ops */
export const HUGETLB_FILE: FileType = {
  name: 'hugetlb',
  servesFaults: true,
  waitsWithoutMmapLock: false,
  tracksDirty: false,
  insertsPages: false,
  isHugetlb: true,
};
