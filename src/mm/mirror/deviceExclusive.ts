/** Lending pages of RAM to a device for its atomic operations: no CPU reaches them until they are taken back. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { FaultHandler } from '../fault/fault.js';
import { splitHugePmd } from '../huge/hugeLeaf.js';
import type { Kernel } from '../kernel.js';
import type { PagemapOwner } from '../migrate/devPagemap.js';
import type { Mm } from '../process/mm.js';
import type { Mapping, Rmap } from '../rmap/rmap.js';
import { PteKind, pteAllows, pteFromWord, pteIsHuge, pteKind, ptePfn } from '../table/pte.js';
import { touchForWrite } from '../table/touch.js';
import type { ExclusiveEntries } from './exclusiveEntries.js';
import { NotifyEvent, notifierRange } from './mmuNotifier.js';

export class DeviceExclusive {
  constructor(
    private readonly kernel: Kernel,
    private readonly faults: FaultHandler,
    private readonly entries: ExclusiveEntries,
    private readonly rmap: Rmap,
  ) {}

  /**
   * Makes the pages of `[start, end)` writable, then device-exclusive, each inside an EXCLUSIVE invalidation with `owner` of every mm that maps
   * it. mmap_lock is held for read. Returns how many entries of `pages` are filled: with a page that is locked and referenced for the caller,
   * or 0 where that could not be had (not anonymous, locked by another, mapped elsewhere). Errors, when there is not even the first page: -EFAULT
   * without a writable area, -ENOMEM.
   * @kernel make_device_exclusive_range
   */
  *makeRange(mm: Mm, start: Vpn, end: Vpn, pages: Uint32Array, owner: PagemapOwner): Steps<number> {
    mm.mmapLock.assertHeld();
    const npages = yield* this.getPages(mm, start, end, pages);
    for (let i = 0; i < npages; i++) {
      const pfn = pages[i] as Pfn;
      if (yield* this.makePage(mm, (start + i) as Vpn, pfn, owner)) continue;
      this.kernel.folios.put(pfn);
      pages[i] = NO_PFN;
    }
    return npages;
  }

  /** @kernel get_user_pages_remote(FOLL_GET | FOLL_WRITE | FOLL_SPLIT_PMD) */
  private *getPages(mm: Mm, start: Vpn, end: Vpn, pages: Uint32Array): Steps<number> {
    for (let page = start; page < end; page++) {
      const errno = yield* this.faultInForWrite(mm, page);
      if (errno !== Errno.OK) return page > start ? page - start : errno;
      const pfn = ptePfn(pteFromWord(mm.pageTable.get(page)));
      touchForWrite(this.kernel, mm, page);
      this.kernel.folios.get(pfn);
      pages[page - start] = pfn;
    }
    return end - start;
  }

  /** On OK the entry is writable in this atomic section. @kernel faultin_page */
  private *faultInForWrite(mm: Mm, page: Vpn): Steps<Errno> {
    const vma = mm.vmas.find(page);
    if (vma === null || !vma.isWritable || vma.isHugetlb) return Errno.EFAULT;
    yield* splitHugePmd(this.kernel, mm, page);
    while (!pteAllows(mm.pageTable.get(page), true)) {
      const errno = yield* this.faults.handleMmFault(mm, vma, page, true);
      if (errno !== Errno.OK) return errno;
      yield* splitHugePmd(this.kernel, mm, page);
    }
    return Errno.OK;
  }

  /** On true the folio is locked. Of a large one only the first page can be had, and all are lent with it. */
  private *makePage(mm: Mm, page: Vpn, pfn: Pfn, owner: PagemapOwner): Steps<boolean> {
    const { folios, folioLocks } = this.kernel;
    if (folios.headOf(pfn) !== pfn || !folioLocks.trylock(pfn)) return false;
    const made = folios.testFlag(pfn, FolioFlag.Anon) && (yield* this.replaceMappings(mm, page, pfn, owner));
    if (!made) folioLocks.unlock(pfn);
    return made;
  }

  /**
   * Whether the entry asked for was writable, and no mapping is left. It ends with the last mapping: mirrors of the areas after that hear nothing.
   * @kernel folio_make_device_exclusive
   */
  private *replaceMappings(mm: Mm, page: Vpn, head: Pfn, owner: PagemapOwner): Steps<boolean> {
    const { folios } = this.kernel;
    let valid = false;
    for (const mapping of this.rmap.mappings(head)) {
      if (folios.mapcount(head) > 0) {
        const told = this.toldEnd(mapping, head);
        const range = notifierRange(NotifyEvent.Exclusive, mapping.start, told, owner);
        yield* mapping.mm.notifiers.invalidateStart(range);
        if (this.replaceEntries(mapping, head, mapping.mm === mm ? page : -1)) valid = true;
        yield* mapping.mm.notifiers.invalidateEnd(range);
      }
      mapping.mm.drop();
    }
    return valid && folios.mapcount(head) === 0;
  }

  /** As many pages as the folio has, also where the area shows only its last ones, as far as the area goes. @kernel page_make_device_exclusive_one */
  private toldEnd({ mm, start, end }: Mapping, head: Pfn): Vpn {
    const areaEnd = mm.vmas.find(start)?.end ?? end;
    return Math.min(areaEnd, start + this.kernel.folios.npages(head)) as Vpn;
  }

  /** Under the page-table lock. Returns whether the entry at `wanted` was replaced, and writable. */
  private replaceEntries(mapping: Mapping, head: Pfn, wanted: number): boolean {
    const { mm, start, end, first } = mapping;
    let valid = false;
    if (this.rmap.endsAtLeaf(mapping)) return valid;
    for (let page = start; page < end; page++) {
      const pfn = (head + first + page - start) as Pfn;
      const pte = pteFromWord(mm.pageTable.get(page));
      if (pteKind(pte) !== PteKind.Present || ptePfn(pte) !== pfn || pteIsHuge(pte)) continue;
      const writable = this.entries.make(mm, page, pfn);
      if (page === wanted) valid = writable;
    }
    return valid;
  }
}
