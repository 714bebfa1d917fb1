/** Where a huge page may be: what the configuration, the area's flags and its bounds say, and whether the place is empty. */

import { alignUp, PMD_PAGES } from '../../base/units.js';
import type { RadixTable } from '../../memory/radixTable.js';
import { type Vma, VmFlag } from '../area/vma.js';
import { type Kernel, ThpMode } from '../kernel.js';
import { leafStart } from './hugeLeaf.js';

/** Areas whose faults are somebody else's, or whose pages are huge already. */
const NEVER = VmFlag.NoHugePage | VmFlag.Hugetlb | VmFlag.MixedMap;

/** Whether the whole PMD around `page` lies in the area. @kernel thp_vma_suitable_order */
export function fitsHugePage(vma: Vma, page: number): boolean {
  const start = leafStart(page);
  return start >= vma.start && start + PMD_PAGES <= vma.end;
}

/** Whether the area has a whole PMD anywhere. @kernel thp_vma_suitable_order */
export function hasRoomForHugePage(vma: Vma): boolean {
  return alignUp(vma.start, PMD_PAGES) + PMD_PAGES <= vma.end;
}

/** Whether huge pages may be in the area at all, whatever the configuration says: what MADV_COLLAPSE asks. @kernel thp_vma_allowable_order */
export function allowsHugePages(vma: Vma): boolean {
  return vma.isAnonymous && (vma.flags & NEVER) === 0;
}

/** Whether a fault at `page` should try a huge page first. @kernel thp_vma_allowable_order (TVA_IN_PF, TVA_ENFORCE_SYSFS) */
export function wantsHugePage(kernel: Kernel, vma: Vma, page: number): boolean {
  if (kernel.thp === ThpMode.Never) return false;
  if (kernel.thp === ThpMode.Madvise && (vma.flags & VmFlag.HugePage) === 0) return false;
  return allowsHugePages(vma) && fitsHugePage(vma, page);
}

/**
 * Whether no page of the PMD has an entry. The kernel tells an empty page table from none; here they are one, so a PMD that has been
 * emptied page by page can be huge again. @kernel pmd_none
 */
export function isPmdNone(table: RadixTable, page: number): boolean {
  const slot = table.slot(leafStart(page));
  if (slot < 0) return true;
  for (let i = 0; i < PMD_PAGES; i++) if (table.read(slot + i) !== 0) return false;
  return true;
}
