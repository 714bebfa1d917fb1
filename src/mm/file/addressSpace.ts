/** The pages of one file that are in memory, and the areas that map it. */

import { assert } from '../../base/assert.js';
import { type IntervalNode, IntervalTree } from '../../base/intervalTree.js';
import type { Pfn } from '../../memory/pfn.js';
import type { SwapSlot } from '../../memory/swapArea.js';
import type { Vma } from '../area/vma.js';
import type { HugetlbReservation } from '../hugetlb/hugetlbReservation.js';
import type { Mm } from '../process/mm.js';

/** One area that may map pages of a file or an anon_vma. */
export interface MappingArea {
  readonly mm: Mm;
  readonly vma: Vma;
}

/** Holds one reference to each of its pages. @kernel address_space, inode */
export class AddressSpace {
  /** By page offset in the file. @kernel i_pages */
  readonly pages = new Map<number, Pfn>();
  /** The areas that map the file, by the offsets that they cover. @kernel i_mmap */
  readonly areas = new IntervalTree<MappingArea>();
  /** What the disk holds of the file, by page offset; absent is zeros. */
  readonly stored = new Map<number, Int32Array>();
  /** Where pages of shared memory are that were swapped out, by page offset: each entry counts as one of a page table. @kernel xa_mk_value, swp_to_radix_entry */
  readonly swapped = new Map<number, SwapSlot>();
  /** Open files, and with them their areas. @kernel i_count */
  references = 1;
  /** Huge pages that its shared mappings count on; null without such mappings. */
  reservation: HugetlbReservation | null = null;
  private readonly nodes = new Map<Vma, IntervalNode<MappingArea>>();

  constructor(
    /** What folio metadata in shared memory says of the file's pages. */
    readonly id: number,
    /** Pages beyond are SIGBUS. @kernel i_size */
    public npages: number,
    /** Its pages may leave memory for its disk, which keeps what they hold; others can go to swap only. */
    readonly isOnDisk: boolean,
  ) {}

  /** Whether the area maps this file. */
  has(vma: Vma): boolean {
    return this.nodes.has(vma);
  }

  /** @kernel vma_interval_tree_insert */
  link(mm: Mm, vma: Vma): void {
    assert(!this.nodes.has(vma), 'area is linked to its file twice');
    this.hang({ mm, vma });
  }

  /** @kernel vma_interval_tree_remove */
  unlink(vma: Vma): void {
    const node = this.nodes.get(vma);
    assert(node !== undefined, 'area is not linked to its file');
    this.areas.remove(node);
    this.nodes.delete(vma);
  }

  /** The area covers other page offsets now. */
  rehang(vma: Vma): void {
    const node = this.nodes.get(vma);
    if (node === undefined) return;
    this.areas.remove(node);
    this.hang(node.value);
  }

  private hang(area: MappingArea): void {
    const { pgoff, pages } = area.vma;
    this.nodes.set(area.vma, this.areas.insert(pgoff, pgoff + pages, area));
  }
}
