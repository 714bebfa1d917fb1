/** All files of one kernel and their pages in memory: creation, content, growth and end. */

import { assert } from '../../base/assert.js';
import { PAGE_WORDS, PMD_PAGES } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { NO_SLOT } from '../../memory/swapArea.js';
import type { Kernel } from '../kernel.js';
import { AddressSpace } from './addressSpace.js';
import { type FileType, SHMEM_FILE } from './fileType.js';
import { MappedFile } from './mappedFile.js';

/** All methods are atomic; what is on a disk comes at once. What is neither in the cache nor on the disk is zeros. */
export class PageCache {
  private readonly byId = new Map<number, AddressSpace>();
  private nextId = 1;

  constructor(private readonly kernel: Kernel) {}

  /** All files that are open or mapped. */
  get files(): Iterable<AddressSpace> {
    return this.byId.values();
  }

  /** The file with this id; null once it is gone. */
  get(id: number): AddressSpace | null {
    return this.byId.get(id) ?? null;
  }

  /** A new, empty file of `npages` pages, opened once. @kernel shmem_file_setup */
  create(npages: number, type: FileType = SHMEM_FILE, isWritable = true): MappedFile {
    const mapping = new AddressSpace(this.nextId++, npages, type.tracksDirty);
    this.byId.set(mapping.id, mapping);
    return new MappedFile(mapping, type, isWritable);
  }

  /** Opens a file once more. @kernel do_filp_open */
  open(file: MappedFile, isWritable: boolean): MappedFile {
    assert(file.references > 0, 'a closed file is opened again');
    file.mapping.references++;
    return new MappedFile(file.mapping, file.type, isWritable);
  }

  /** Drops a reference; files have no name here, so the pages go with the last one. @kernel fput, truncate_inode_pages_final */
  close(file: MappedFile): void {
    assert(file.references > 0, 'a file is closed once too often');
    file.references--;
    if (file.references > 0) return;
    const { mapping } = file;
    mapping.references--;
    if (mapping.references > 0) return;
    assert(mapping.areas.size === 0, 'a file is gone that is still mapped');
    for (const index of [...mapping.pages.keys()]) this.evict(mapping, index);
    this.forgetSwapped(mapping, 0);
    mapping.reservation?.giveBack(0, mapping.npages);
    this.byId.delete(mapping.id);
  }

  /** The page at this offset, if it is in memory; NO_PFN if not. @kernel filemap_get_folio */
  find(mapping: AddressSpace, index: number): Pfn {
    return mapping.pages.get(index) ?? NO_PFN;
  }

  /** Nothing was ever there, or it was punched out: neither in memory nor in swap nor on a disk. */
  isHole(mapping: AddressSpace, index: number): boolean {
    return !mapping.pages.has(index) && !mapping.swapped.has(index) && !mapping.stored.has(index);
  }

  /** Puts a filled page into a hole; the cache takes over the caller's reference. @kernel shmem_add_to_page_cache */
  fillHole(mapping: AddressSpace, index: number, pfn: Pfn): void {
    assert(this.isHole(mapping, index) && index < mapping.npages, 'a page is put where there is no hole');
    this.insert(mapping, index, pfn);
    this.kernel.folios.setFlag(pfn, FolioFlag.Dirty);
  }

  /** The page at this offset, from the disk, from swap, or zeroed if it was not in memory. NO_PFN when memory has run out. @kernel filemap_grab_folio, shmem_get_folio */
  grab(mapping: AddressSpace, index: number): Pfn {
    assert(index >= 0 && index < mapping.npages, 'a page beyond the end of a file');
    const found = this.find(mapping, index);
    if (found !== NO_PFN) return found;
    const pfn = this.kernel.allocPage();
    if (pfn === NO_PFN) return NO_PFN;
    this.fill(mapping, index, pfn);
    this.insert(mapping, index, pfn);
    return pfn;
  }

  private fill(mapping: AddressSpace, index: number, pfn: Pfn): void {
    const { memory } = this.kernel;
    const stored = mapping.stored.get(index);
    if (mapping.swapped.has(index)) this.swapIn(mapping, index, pfn);
    else if (stored === undefined) memory.zeroPages(pfn, 1);
    else memory.words.set(stored, memory.wordIndex(pfn));
  }

  /** The slot is given back: what it held is in no other place than the page. @kernel shmem_swapin_folio */
  private swapIn(mapping: AddressSpace, index: number, pfn: Pfn): void {
    const { memory, folios, swapCache } = this.kernel;
    const slot = mapping.swapped.get(index);
    assert(slot !== undefined, 'a page is swapped in that is not in swap');
    swapCache.area.read(slot, memory, pfn);
    swapCache.area.free(slot);
    mapping.swapped.delete(index);
    folios.setFlag(pfn, FolioFlag.Dirty);
  }

  /** A fresh huge page of a hugetlb file becomes the file's at this offset; the cache takes over the caller's reference. @kernel hugetlb_add_to_page_cache */
  insertHugetlb(mapping: AddressSpace, index: number, head: Pfn): void {
    assert(index % PMD_PAGES === 0 && !mapping.pages.has(index), 'a huge page has no place in its file');
    this.kernel.folios.setFileMapping(head, mapping.id, index);
    mapping.pages.set(index, head);
  }

  /** Stores words as write() does. False when memory has run out. @kernel generic_perform_write */
  write(mapping: AddressSpace, index: number, words: Int32Array): boolean {
    assert(words.length <= PAGE_WORDS, 'more words than a page has');
    const pfn = this.grab(mapping, index);
    if (pfn === NO_PFN) return false;
    const { memory, folios } = this.kernel;
    memory.words.set(words, memory.wordIndex(pfn));
    folios.setFlag(pfn, FolioFlag.Dirty);
    return true;
  }

  /**
   * The content of a page as read() sees it: also what shared mappings have stored. The caller copies it before it yields. What was swapped out
   * comes back for it where there is memory. @kernel filemap_read, shmem_file_read_iter
   */
  read(mapping: AddressSpace, index: number): Int32Array {
    const { memory, zeroPage, swapCache } = this.kernel;
    const slot = mapping.swapped.get(index);
    const pfn = slot === undefined ? this.find(mapping, index) : this.grab(mapping, index);
    if (slot !== undefined && pfn === NO_PFN) return swapCache.area.contentOf(slot);
    const stored = mapping.stored.get(index);
    if (pfn === NO_PFN && stored !== undefined) return stored;
    const at = memory.wordIndex(pfn === NO_PFN ? zeroPage : pfn);
    return memory.words.subarray(at, at + PAGE_WORDS);
  }

  /** Writes a page to its file's disk; it is clean then. @kernel writepage */
  writeBack(pfn: Pfn): void {
    const { folios, memory } = this.kernel;
    const mapping = this.get(folios.mapping(pfn));
    assert(mapping?.isOnDisk === true, 'a page without a disk is written back');
    const at = memory.wordIndex(pfn);
    mapping.stored.set(folios.index(pfn), memory.words.slice(at, at + PAGE_WORDS));
    folios.clearFlag(pfn, FolioFlag.Dirty);
  }

  /** Takes a clean, locked page that nobody maps out of its file; the caller has a reference of its own. @kernel __remove_mapping */
  drop(pfn: Pfn): void {
    const { folios } = this.kernel;
    const mapping = this.get(folios.mapping(pfn));
    assert(mapping !== null && folios.isLocked(pfn), 'a page leaves its file that is not locked');
    this.evict(mapping, folios.index(pfn));
  }

  /** The same for a page of shared memory, whose content goes to swap. False, and all is as it was, when no slot is left. @kernel shmem_writepage */
  swapOut(pfn: Pfn): boolean {
    const { folios, swapCache, memory } = this.kernel;
    const mapping = this.get(folios.mapping(pfn));
    assert(
      mapping !== null && !mapping.isOnDisk && folios.isLocked(pfn),
      'a page goes to swap that should not',
    );
    const slot = swapCache.area.alloc(pfn);
    if (slot === NO_SLOT) return false;
    swapCache.area.write(slot, memory, pfn);
    swapCache.area.duplicate(slot);
    swapCache.area.setFolio(slot, NO_PFN);
    const index = folios.index(pfn);
    this.evict(mapping, index);
    mapping.swapped.set(index, slot);
    return true;
  }

  /** What was swapped out of the file from an offset on is wanted no more. @kernel shmem_free_swap */
  forgetSwapped(mapping: AddressSpace, from: number): void {
    for (const [index, slot] of mapping.swapped) {
      if (index < from) continue;
      this.kernel.swapCache.area.free(slot);
      mapping.swapped.delete(index);
    }
  }

  /** Puts another page with the same content in the place of one: the identity of `from` is to move. @kernel __folio_migrate_mapping */
  replace(from: Pfn, to: Pfn): void {
    const { folios } = this.kernel;
    const mapping = this.get(folios.mapping(from));
    const index = folios.index(from);
    assert(mapping !== null && mapping.pages.get(index) === from, 'a page that is not in its file moves');
    mapping.pages.set(index, to);
    folios.setFileMapping(to, mapping.id, index);
    folios.get(to);
    folios.clearMapping(from);
    folios.put(from);
  }

  /** The cache takes over the caller's reference. @kernel filemap_add_folio */
  private insert(mapping: AddressSpace, index: number, pfn: Pfn): void {
    const { folios } = this.kernel;
    folios.setFileMapping(pfn, mapping.id, index);
    folios.setFlag(pfn, FolioFlag.Lru);
    mapping.pages.set(index, pfn);
  }

  /** @kernel filemap_remove_folio */
  private evict(mapping: AddressSpace, index: number): void {
    const { folios } = this.kernel;
    const pfn = this.find(mapping, index);
    mapping.pages.delete(index);
    folios.clearMapping(pfn);
    folios.put(pfn);
  }
}
