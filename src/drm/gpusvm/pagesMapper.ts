/** Makes and ends the DMA addresses of one pages object: all under the notifier lock, without a yield. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import {
  type DmaAddr,
  DmaDir,
  DmaProto,
  dmaAddrAt,
  dmaDir,
  dmaOrder,
  dmaProto,
  NO_DMA_ADDR,
} from '../../memory/dmaAddr.js';
import { type HmmPfn, HmmPfnFlag, hmmPfnAt, hmmPfnOrder, hmmPfnToPfn, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { Kernel } from '../../mm/kernel.js';
import type { Zdd, ZddTable } from '../pagemap/devmem.js';
import type { GpuSvmContext } from './context.js';
import { type GpuSvmPages, PagesFlag } from './pages.js';

/** One pass over the pages, and what it has met so far. */
export interface MapRun {
  readonly pages: GpuSvmPages;
  readonly dmaAddrs: Uint32Array;
  readonly ctx: GpuSvmContext;
  readonly npages: number;
  /** Of the last device page. */
  zdd: Zdd | null;
  /** There was a device page. */
  hasDevmem: boolean;
  /** Pages done. */
  mapped: number;
}

export class PagesMapper {
  constructor(
    private readonly kernel: Kernel,
    private readonly zdds: ZddTable,
  ) {}

  /** Maps all pages and publishes them, or none. `first` is the address of the first page. Errors: -EOPNOTSUPP, -EFAULT, -ENOMEM. */
  mapAll(
    pages: GpuSvmPages,
    dmaAddrs: Uint32Array,
    first: Vpn,
    pfns: Uint32Array,
    ctx: GpuSvmContext,
  ): Errno {
    const run: MapRun = {
      pages,
      dmaAddrs,
      ctx,
      npages: pfns.length,
      zdd: null,
      hasDevmem: false,
      mapped: 0,
    };
    let errno = this.mapEach(run, first, pfns);
    if (errno === Errno.OK && pages.state.isUsed)
      errno = pages.device.dmaIovaSync(pages.state, 0, pages.stateOffset);
    if (errno === Errno.OK) this.publish(run);
    else this.unwind(run);
    return errno;
  }

  /** Entry j of the addresses covers as many pages as the CPU maps with one leaf, within the span. */
  mapEach(run: MapRun, first: Vpn, pfns: Uint32Array): Errno {
    for (let i = 0, j = 0; i < pfns.length; j++) {
      const entry = hmmPfnAt(pfns, i);
      if (!this.allows(entry, run.ctx)) return Errno.EOPNOTSUPP;
      const order = this.pfnToOrder(entry, first + i, pfns.length - i);
      const addr = this.mapOne(run, i, hmmPfnToPfn(entry), order);
      if (addr < 0) return addr as Errno;
      run.dmaAddrs[j] = addr;
      i += 1 << order;
      run.mapped = i;
    }
    return Errno.OK;
  }

  /** HMM hands out an own device page that the CPU may not write even for a write request: only a fault in RAM can settle that. */
  allows(entry: HmmPfn, ctx: GpuSvmContext): boolean {
    return ctx.readOnly || (entry & HmmPfnFlag.WRITE) !== 0;
  }

  /**
   * The largest order that the leaf of a page allows from that page on, within what is left of the span: the leaf itself may reach beyond
   * both ends.
   * @kernel drm_gpusvm_hmm_pfn_to_order
   */
  pfnToOrder(entry: HmmPfn, page: number, left: number): number {
    const leaf = 1 << hmmPfnOrder(entry);
    const size = Math.min(leaf - (page % leaf), left);
    return 31 - Math.clz32(size);
  }

  mapOne(run: MapRun, i: number, pfn: Pfn, order: number): DmaAddr | Errno {
    return this.kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.System
      ? this.mapSystemPage(run, i, pfn, order)
      : this.mapDevicePage(run, i, pfn, order);
  }

  /** Errors: -EOPNOTSUPP, memory of another allocation or device than before; -EFAULT. */
  mapDevicePage(run: MapRun, i: number, pfn: Pfn, order: number): DmaAddr | Errno {
    const { pages, ctx } = run;
    const zdd = this.zdds.get(this.kernel.folios.zoneData(pfn));
    if (!ctx.allowMixed && run.zdd !== zdd && i > 0) return Errno.EOPNOTSUPP;
    run.zdd = zdd;
    if (!run.hasDevmem || pages.dpagemap !== zdd.dpagemap) {
      if (run.hasDevmem) return Errno.EOPNOTSUPP;
      this.holdPagemap(run, zdd);
    }
    const { dpagemap } = zdd;
    const addr = dpagemap.ops.deviceMap(dpagemap, pages.device, pfn, order, this.direction(ctx));
    return addr < 0 ? Errno.EFAULT : addr;
  }

  /** With the first device page, not at the end: what unwinds needs it to unmap the pages done by then. */
  holdPagemap(run: MapRun, zdd: Zdd): void {
    run.hasDevmem = true;
    const { pages } = run;
    assert(pages.dpagemap === null, 'pages that are not mapped hold a pagemap');
    pages.dpagemap = zdd.dpagemap.get();
  }

  /** Errors: -EOPNOTSUPP after a device page, unless these may mix; -EFAULT; -ENOMEM. */
  mapSystemPage(run: MapRun, i: number, pfn: Pfn, order: number): DmaAddr | Errno {
    const { pages, ctx, npages } = run;
    if (run.hasDevmem && !ctx.allowMixed) return Errno.EOPNOTSUPP;
    if (ctx.devmemOnly) return Errno.EFAULT;
    // Only where the span begins in RAM: one reservation for all of it, device pages included.
    if (i === 0) pages.device.dmaIovaTryAlloc(pages.state, npages);
    return pages.state.isUsed ? this.linkPage(run, pfn, order) : this.mapSinglePage(run, pfn, order);
  }

  /** Links follow one another without gaps, whatever lies between them. */
  linkPage({ pages, ctx }: MapRun, pfn: Pfn, order: number): DmaAddr | Errno {
    const { state, stateOffset } = pages;
    const addr = pages.device.dmaIovaLink(state, pfn, stateOffset, order, this.direction(ctx));
    if (addr >= 0) pages.stateOffset += 1 << order;
    return addr;
  }

  mapSinglePage({ pages, ctx }: MapRun, pfn: Pfn, order: number): DmaAddr | Errno {
    const addr = pages.device.dmaMapPage(pfn, this.direction(ctx), order);
    return addr < 0 ? Errno.EFAULT : addr;
  }

  direction(ctx: GpuSvmContext): DmaDir {
    return ctx.readOnly ? DmaDir.ToDevice : DmaDir.Bidirectional;
  }

  /** The whole flag word at once, still under the lock. */
  publish({ pages, hasDevmem }: MapRun): void {
    const devmem = hasDevmem ? PagesFlag.HasDevmemPages : 0;
    pages.flags = pages.flags | PagesFlag.HasDmaMapping | devmem;
  }

  /** Takes back what was mapped; the flag that says so is only set once all is, so it must be set for the unmap. */
  unwind({ pages, mapped }: MapRun): void {
    pages.flags |= PagesFlag.HasDmaMapping;
    this.unmapLocked(pages, mapped);
  }

  /** Nothing happens where nothing is mapped. The notifier lock is held. @kernel __drm_gpusvm_unmap_pages */
  unmapLocked(pages: GpuSvmPages, npages: number): void {
    if (!pages.has(PagesFlag.HasDmaMapping)) return;
    assert(pages.dmaAddrs !== null, 'mapped pages have no addresses');
    const usesIova = pages.state.isUsed;
    if (usesIova) this.unmapReservation(pages, pages.dmaAddrs);
    this.unmapEntries(pages, pages.dmaAddrs, npages, usesIova);
    pages.flags &= ~(PagesFlag.HasDmaMapping | PagesFlag.HasDevmemPages);
    pages.dpagemap?.put();
    pages.dpagemap = null;
  }

  /** What is linked goes first; then all of the reservation, of which device pages may have left a part unused. */
  unmapReservation(pages: GpuSvmPages, dmaAddrs: Uint32Array): void {
    const { device, state, stateOffset } = pages;
    if (stateOffset > 0) device.dmaIovaUnlink(state, 0, stateOffset, dmaDir(dmaAddrAt(dmaAddrs, 0)));
    device.dmaIovaFree(state);
    pages.stateOffset = 0;
  }

  unmapEntries(pages: GpuSvmPages, dmaAddrs: Uint32Array, npages: number, usesIova: boolean): void {
    const { device, dpagemap } = pages;
    for (let i = 0, j = 0; i < npages; j++) {
      const addr = dmaAddrAt(dmaAddrs, j);
      if (dmaProto(addr) !== DmaProto.System) dpagemap?.ops.deviceUnmap(dpagemap, device, addr);
      else if (!usesIova) device.dmaUnmapPage(addr);
      dmaAddrs[j] = NO_DMA_ADDR;
      i += 1 << dmaOrder(addr);
    }
  }
}
