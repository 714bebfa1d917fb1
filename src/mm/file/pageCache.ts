/** All files of one kernel and their pages in memory: creation, content, growth and end. */

import { assert } from '../../base/assert.js';
import { PAGE_WORDS, PMD_PAGES } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
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
    mapping.reservation?.giveBack(0, mapping.npages);
    this.byId.delete(mapping.id);
  }

  /** The page at this offset, if it is in memory; NO_PFN if not. @kernel filemap_get_folio */
  find(mapping: AddressSpace, index: number): Pfn {
    return mapping.pages.get(index) ?? NO_PFN;
  }

  /** The page at this offset, from the disk or zeroed if it was not in memory. NO_PFN when memory has run out. @kernel filemap_grab_folio, shmem_get_folio */
  grab(mapping: AddressSpace, index: number): Pfn {
    assert(index >= 0 && index < mapping.npages, 'a page beyond the end of a file');
    const found = this.find(mapping, index);
    if (found !== NO_PFN) return found;
    const pfn = this.kernel.allocPage();
    if (pfn === NO_PFN) return NO_PFN;
    const stored = mapping.stored.get(index);
    const { memory } = this.kernel;
    if (stored === undefined) memory.zeroPages(pfn, 1);
    else memory.words.set(stored, memory.wordIndex(pfn));
    this.insert(mapping, index, pfn);
    return pfn;
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

  /** The content of a page as read() sees it: also what shared mappings have stored. The caller copies it before it yields. @kernel filemap_read */
  read(mapping: AddressSpace, index: number): Int32Array {
    const { memory, zeroPage } = this.kernel;
    const pfn = this.find(mapping, index);
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
