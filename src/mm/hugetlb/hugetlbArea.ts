/** What areas of hugetlb memory demand of calls on them: everything by whole huge pages. */

import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Vma } from '../area/vma.js';
import type { VmaEdit } from '../area/vmaEdit.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { HugetlbReservation } from './hugetlbReservation.js';

/** Whether a cut at `page` would go through a huge page of a hugetlb area. @kernel hugetlb_vm_op_split */
export function cutsHugetlb(mm: Mm, page: number): boolean {
  if (page % PMD_PAGES === 0) return false;
  return mm.vmas.find(page as Vpn)?.isHugetlb ?? false;
}

/** Whether making `[start, end)` an area of its own would cut a huge page. */
export function cutsHugetlbArea(vma: Vma, start: Vpn, end: Vpn): boolean {
  return vma.isHugetlb && (start % PMD_PAGES !== 0 || end % PMD_PAGES !== 0);
}

/**
 * What is left of a change of `[start, end)` that a huge page refuses: the cut at the start comes first and stays, that at the end fails.
 * mmap_lock is held for write. -EINVAL, or -ENOMEM without memory for the first. @kernel vma_modify, vms_gather_munmap_vmas
 */
export function cutUpToHugePage(edit: VmaEdit, mm: Mm, start: Vpn): Errno {
  const vma = mm.vmas.find(start);
  if (vma === null || vma.start === start || cutsHugetlb(mm, start)) return Errno.EINVAL;
  return edit.carve(mm, vma, start, vma.end) === Errno.ENOMEM ? Errno.ENOMEM : Errno.EINVAL;
}

/**
 * Has the pool promise what a new area may need: to the area if it is private, else to the file, unless it has or was promised those pages.
 * False when the pool cannot. @kernel hugetlb_reserve_pages
 */
export function reserveArea(kernel: Kernel, vma: Vma): boolean {
  const { file, pgoff, pages } = vma;
  if (file === null) return true;
  const { mapping } = file;
  const reservation = (vma.isShared ? mapping.reservation : null) ?? new HugetlbReservation(kernel.hugetlb);
  const isThere = (index: number): boolean => vma.isShared && mapping.pages.has(index);
  if (!reservation.promise(pgoff, pgoff + pages, isThere)) return false;
  if (vma.isShared) mapping.reservation = reservation;
  else vma.reservation = reservation;
  return true;
}

/** Who promised the area its pages; null where nobody did. */
export function reservationOf(vma: Vma): HugetlbReservation | null {
  return vma.isShared ? (vma.file?.mapping.reservation ?? null) : vma.reservation;
}

/** A page for a place in the area; with `spare` only one that nobody was promised. 0 without. @kernel alloc_hugetlb_folio */
export function allocForArea(kernel: Kernel, vma: Vma, index: number, spare = false): Pfn {
  const reservation = spare ? null : reservationOf(vma);
  return reservation === null ? kernel.hugetlb.alloc(false) : reservation.alloc(index);
}
