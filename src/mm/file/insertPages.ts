/** What a driver's mmap does that gives the program memory of its own. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { NO_PFN } from '../../memory/pfn.js';
import type { Vma } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { mapFilePage } from './mapFilePage.js';

/**
 * Fills the whole new area with zeroed pages that belong to no page cache and no LRU; only their entries hold them. -ENOMEM leaves the pages
 * before mapped: the caller unmaps the area. mmap_lock is held for write.
 * @kernel vm_insert_page
 */
export function insertPages(kernel: Kernel, mm: Mm, vma: Vma): typeof Errno.OK | typeof Errno.ENOMEM {
  mm.mmapLock.assertHeldForWrite();
  for (let page = vma.start; page < vma.end; page = (page + 1) as Vpn) {
    const pfn = kernel.allocPage();
    if (pfn === NO_PFN) return Errno.ENOMEM;
    kernel.memory.zeroPages(pfn, 1);
    const mapped = mm.pageTable.ensure(page) >= 0;
    if (mapped) mapFilePage(kernel, mm, vma, page, pfn, 0);
    kernel.folios.put(pfn);
    if (!mapped) return Errno.ENOMEM;
  }
  return Errno.OK;
}
