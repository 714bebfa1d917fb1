/** RAM as one device reaches it while pages migrate: one reservation of I/O addresses for a whole run, filled without gaps. */

import { Errno } from '../../base/errno.js';
import { PMD_ORDER } from '../../base/units.js';
import { type DmaAddr, type DmaDir, dmaAddrAt, dmaOrder, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import { DmaIovaState } from '../../memory/dmaIova.js';
import { PAGE_ARRAY_PAGES } from '../../memory/pageArrays.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { DrmDevice } from '../drmDevice.js';
import { expandFrames, hasPages, pageOfEntry, pagesOfEntry } from './migrateEntries.js';

/** Of one run of pages. @kernel drm_pagemap_iova_state */
export class RunIova {
  readonly state = new DmaIovaState();
  /** Pages linked so far: the place of the next one, however many holes there were. */
  offset = 0;
}

/** What is to be mapped: the entries `[first, end)` of an array of migrate-pfns. */
export interface EntrySpan {
  readonly entries: Uint32Array;
  readonly first: number;
  readonly end: number;
}

export class MigrateDma {
  /** Frames of the small pages at hand, by page of the run; meaningful until the next yield only. */
  private readonly frames = new Uint32Array(PAGE_ARRAY_PAGES);

  /**
   * Maps the pages that there are; the address of entry `first + i` goes to `addrs[i]`, which is empty where there is no page. A large folio has one
   * address, of its order, and nobody looks at the places behind. Without room for a reservation each folio is mapped by itself. An error, -ENOMEM,
   * leaves in `addrs` and `iova` what there is so far. @kernel drm_pagemap_migrate_map_system_pages, drm_pagemap_migrate_map_pages
   */
  map(device: DrmDevice, span: EntrySpan, addrs: Uint32Array, dir: DmaDir, iova: RunIova): Errno {
    const { entries, first, end } = span;
    addrs.fill(NO_DMA_ADDR, 0, end - first);
    if (!hasPages(entries, first, end)) return Errno.OK;
    device.dmaIovaTryAlloc(iova.state, end - first);
    for (let at = first; at < end; ) {
      const isLarge = pagesOfEntry(entries, at) > 1;
      const next = isLarge ? at + pagesOfEntry(entries, at) : endOfSmall(entries, at, end);
      const errno = isLarge
        ? this.mapLarge(device, pageOfEntry(entries, at), addrs, at - first, dir, iova)
        : this.mapSmall(device, span, at, next, addrs, dir, iova);
      if (errno !== Errno.OK) return errno;
      at = next;
    }
    return iova.state.isUsed ? device.dmaIovaSync(iova.state, 0, iova.offset) : Errno.OK;
  }

  private mapLarge(
    device: DrmDevice,
    head: Pfn,
    addrs: Uint32Array,
    i: number,
    dir: DmaDir,
    iova: RunIova,
  ): Errno {
    if (head === NO_PFN) return Errno.OK;
    const { state, offset } = iova;
    const addr = state.isUsed
      ? device.dmaIovaLink(state, head, offset, PMD_ORDER, dir)
      : device.dmaMapPage(head, dir, PMD_ORDER);
    if (addr < 0) return addr as Errno;
    if (state.isUsed) iova.offset += 1 << PMD_ORDER;
    addrs[i] = addr;
    return Errno.OK;
  }

  /** Entries `[from, to)` of the span, none of which is a large folio's. */
  private mapSmall(
    device: DrmDevice,
    { entries, first }: EntrySpan,
    from: number,
    to: number,
    addrs: Uint32Array,
    dir: DmaDir,
    iova: RunIova,
  ): Errno {
    const { frames } = this;
    const npages = to - from;
    const wanted = expandFrames(entries, from, to, frames);
    const own = from === first ? addrs : addrs.subarray(from - first);
    if (iova.state.isUsed) {
      const linked = device.dmaIovaLinkPages(iova.state, frames, npages, iova.offset, dir, own);
      iova.offset += linked;
      return linked < wanted ? Errno.ENOMEM : Errno.OK;
    }
    for (let i = 0; i < npages; i++) {
      if (frames[i] === NO_PFN) continue;
      const addr: DmaAddr | Errno = device.dmaMapPage(frames[i] as Pfn, dir);
      if (addr < 0) return addr as Errno;
      own[i] = addr;
    }
    return Errno.OK;
  }

  /** Undoes {@link map}, as far as it got: the reservation as a whole, or folio by folio. @kernel drm_pagemap_migrate_unmap_pages, dma_iova_destroy */
  unmap(device: DrmDevice, addrs: Uint32Array, npages: number, dir: DmaDir, iova: RunIova): void {
    if (iova.state.isUsed) {
      if (iova.offset > 0) device.dmaIovaUnlink(iova.state, 0, iova.offset, dir);
      device.dmaIovaFree(iova.state);
      iova.offset = 0;
      return;
    }
    for (let i = 0; i < npages; ) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) device.dmaUnmapPage(addr);
      i += 1 << dmaOrder(addr);
    }
  }
}

/** The first entry from `at` on that stands for a large folio, or `end`. */
function endOfSmall(entries: Uint32Array, at: number, end: number): number {
  let next = at;
  while (next < end && pagesOfEntry(entries, next) === 1) next++;
  return next;
}
