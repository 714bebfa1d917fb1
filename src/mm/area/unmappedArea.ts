/** Where a new mapping goes: the layout of the user address space and the choice of a free stretch. */

import { Errno } from '../../base/errno.js';
import { alignDown, alignUp, TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import type { Mm } from '../process/mm.js';
import type { PageOrErrno } from '../table/pageResult.js';

/** First page above the region that mmap fills from the top down: without randomisation, as under a debugger. @kernel mmap_base */
export const MMAP_BASE = 0x7fff_f7ff_f000 / 4096;
/** Lowest page that an unprivileged process may map: vm.mmap_min_addr of 64 KiB. */
export const MMAP_MIN = 16;
/** Most areas that an address space may have. @kernel DEFAULT_MAX_MAP_COUNT (vm.max_map_count) */
export const MAP_COUNT_MAX = 65530;

/** -ENOMEM beyond the address space, -EPERM below the lowest page that may be mapped. @kernel get_unmapped_area (MAP_FIXED) */
export function checkFixedArea(start: Vpn, npages: number): Errno {
  if (npages > TASK_SIZE_PAGES || start > TASK_SIZE_PAGES - npages) return Errno.ENOMEM;
  return start < MMAP_MIN ? Errno.EPERM : Errno.OK;
}

/** A hint below the lowest page that may be mapped means that page; 0 is none. @kernel round_hint_to_min */
export function roundHintToMin(hint: Vpn): Vpn {
  return hint === 0 ? hint : (Math.max(hint, MMAP_MIN) as Vpn);
}

/**
 * A free stretch: at the hint (0 for none) if it is free there, else the highest one below mmap_base, else anywhere; a multiple of
 * `align`, a power of two. -ENOMEM when there is none, -EPERM at a hint below the lowest page that may be mapped. mmap_lock is held.
 * @kernel get_unmapped_area, arch_get_unmapped_area_topdown
 */
export function getUnmappedArea(mm: Mm, hint: Vpn, npages: number, align = 1): PageOrErrno {
  if (npages > TASK_SIZE_PAGES - MMAP_MIN) return Errno.ENOMEM;
  if (hint !== 0) {
    const start = alignUp(hint, align) as Vpn;
    const end = (start + npages) as Vpn;
    const isFree = end <= TASK_SIZE_PAGES && mm.vmas.firstIn(start, end) === null;
    if (isFree) return start < MMAP_MIN ? Errno.EPERM : start;
  }
  // The highest stretch with room for the alignment holds the highest aligned one.
  const room = npages + align - 1;
  const below = mm.vmas.findGap(room, MMAP_MIN, MMAP_BASE);
  if (below >= 0) return alignDown(below + align - 1, align) as Vpn;
  const above = mm.vmas.findGap(room, MMAP_MIN, TASK_SIZE_PAGES);
  return above >= 0 ? (alignDown(above + align - 1, align) as Vpn) : Errno.ENOMEM;
}
