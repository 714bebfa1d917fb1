/** Copying the pages of a migration: makes their DMA addresses, has the device that owns one side copy, and takes the addresses back. */

import { Errno } from '../../base/errno.js';
import { DmaDir, DmaProto, dmaAddr, dmaAddrAt, dmaOrder, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import type { PageArrayId, PageArrayPool } from '../../memory/pageArrays.js';
import { NO_PFN } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { MigrateVmaArgs } from '../../mm/migrate/migrateVma.js';
import type { StepId, Steps } from '../../sim/steps.js';
import type { DrmDevice } from '../drmDevice.js';
import type { Devmem, Zdd, ZddTable } from './devmem.js';
import type { DrmPagemap } from './drmPagemap.js';
import { type EntrySpan, MigrateDma, RunIova } from './migrateDma.js';
import { countPages, pageOfEntry, pagesOfEntry } from './migrateEntries.js';
import { PagemapStep } from './pagemapStep.js';

/** Pages that one device copies, with the arrays that their addresses go into. */
interface CopyRun {
  /** The destination. */
  readonly devmem: Devmem;
  /** Entries of the sources, and of what they go to. */
  readonly from: EntrySpan;
  readonly to: EntrySpan;
  readonly srcId: PageArrayId;
  readonly dstId: PageArrayId;
  readonly npages: number;
}

export class MigrateCopy {
  /** The last one looked up: pages of one allocation come in a row. Numbers are never used again. */
  private lastZdd: Zdd | null = null;
  readonly dma = new MigrateDma();

  constructor(
    private readonly kernel: Kernel,
    private readonly zdds: ZddTable,
    private readonly arrays: PageArrayPool,
  ) {}

  /** The zone device data of a device page that is to be moved; null for RAM and holes. */
  sourceAt(entries: Uint32Array, i: number): Zdd | null {
    const pfn = pageOfEntry(entries, i);
    if (pfn === NO_PFN || !this.kernel.memory.layout.isDevice(pfn)) return null;
    const id = this.kernel.folios.zoneData(pfn);
    if (this.lastZdd === null || this.lastZdd.id !== id) this.lastZdd = this.zdds.get(id);
    return this.lastZdd;
  }

  /** Splits the span into runs with the same source and has each copied by whoever should. Errors: -ENOMEM, -EFAULT, -EIO. */
  *toDevmem(devmem: Devmem, args: MigrateVmaArgs, npages: number, sourcePeerMigrates: boolean): Steps<Errno> {
    const startedNs = this.kernel.sched.now();
    let first = 0;
    while (first < npages) {
      const end = this.endOfRun(args.src, first, npages);
      const errno = yield* this.copyRun(devmem, args, first, end, sourcePeerMigrates);
      if (errno !== Errno.OK) return errno;
      first = end;
    }
    this.noteCopy(PagemapStep.copiedToDevice, devmem, args.src, npages, startedNs);
    return Errno.OK;
  }

  /** Where the pages from `first` on stop coming from the same memory: that of one device, or RAM and holes. @kernel drm_pagemap_migrate_range, migrate_range_loc */
  endOfRun(src: Uint32Array, first: number, npages: number): number {
    const source = this.pagemapAt(src, first);
    let end = first + pagesOfEntry(src, first);
    while (end < npages && this.pagemapAt(src, end) === source) end += pagesOfEntry(src, end);
    return end;
  }

  /** Has the device copy its pages in `src` to RAM in `dst`, where there is a destination. Errors: -ENOMEM, -EIO. */
  *toRam(devmem: Devmem, src: Uint32Array, dst: Uint32Array, npages: number): Steps<Errno> {
    const startedNs = this.kernel.sched.now();
    const { device } = devmem.dpagemap;
    const [fromId, toId] = yield* this.arrays.borrowPair();
    const to = this.arrays.arrays.view(toId);
    const iova = new RunIova();
    mapOwn({ entries: src, first: 0, end: npages }, this.arrays.arrays.view(fromId));
    const targets = { entries: dst, first: 0, end: npages };
    let errno = this.dma.map(device, targets, to, DmaDir.FromDevice, iova);
    if (errno === Errno.OK) errno = yield* devmem.copyOps.copyToRam(devmem, fromId, toId, npages, null);
    if (errno === Errno.OK) this.noteCopy(PagemapStep.copiedToRam, devmem, dst, npages, startedNs);
    this.dma.unmap(device, to, npages, DmaDir.FromDevice, iova);
    this.arrays.giveBack(fromId);
    this.arrays.giveBack(toId);
    return errno;
  }

  /** `entries` names a page where there was content to copy. */
  private noteCopy(
    step: StepId,
    devmem: Devmem,
    entries: Uint32Array,
    npages: number,
    startedNs: number,
  ): void {
    const { sched } = this.kernel;
    const { index } = devmem.dpagemap.device;
    sched.at(step, index, npages, countPages(entries, npages), sched.now() - startedNs);
  }

  /** The memory that a page comes from; null for RAM and holes. */
  pagemapAt(src: Uint32Array, i: number): DrmPagemap | null {
    return this.sourceAt(src, i)?.dpagemap ?? null;
  }

  /** Pages [first, end) of the span, which come from the same memory. Errors: as {@link toDevmem}. */
  *copyRun(
    devmem: Devmem,
    args: MigrateVmaArgs,
    first: number,
    end: number,
    sourcePeerMigrates: boolean,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    // All source pages stay locked, so whose they are does not change while we wait.
    const source = this.sourceAt(args.src, first)?.devmem ?? null;
    const [srcId, dstId] = yield* this.arrays.borrowPair();
    const from = { entries: args.src, first, end };
    const to = { entries: args.dst, first, end };
    const run: CopyRun = { devmem, from, to, srcId, dstId, npages: end - first };
    let errno: Errno;
    if (source === null) errno = yield* this.copyFromSystem(run);
    else if (sourcePeerMigrates) errno = yield* this.pushFromPeer(run, source);
    else errno = yield* this.pullFromPeer(run, source);
    this.arrays.giveBack(srcId);
    this.arrays.giveBack(dstId);
    if (errno !== Errno.OK) return errno;
    const device = source === null ? -1 : source.dpagemap.device.index;
    sched.at(PagemapStep.copied, args.start + first, end - first, device, sched.now() - startedNs);
    return Errno.OK;
  }

  /** The destination reads RAM and fills holes. @kernel drm_pagemap_migrate_sys_to_dev */
  *copyFromSystem({ devmem, from, to, srcId, dstId, npages }: CopyRun): Steps<Errno> {
    const { device } = devmem.dpagemap;
    const src = this.arrays.arrays.view(srcId);
    const iova = new RunIova();
    mapOwn(to, this.arrays.arrays.view(dstId));
    let errno = this.dma.map(device, from, src, DmaDir.ToDevice, iova);
    if (errno === Errno.OK)
      errno = yield* devmem.copyOps.copyToDevmem(devmem, srcId, dstId, npages, devmem.preMigrateFence);
    this.dma.unmap(device, src, npages, DmaDir.ToDevice, iova);
    return errno;
  }

  /** Another device writes its pages to the destination. @kernel drm_pagemap_migrate_remote_to_local */
  *pushFromPeer({ devmem, from, to, srcId, dstId, npages }: CopyRun, source: Devmem): Steps<Errno> {
    const { dpagemap, preMigrateFence } = devmem;
    const { device } = source.dpagemap;
    const dst = this.arrays.arrays.view(dstId);
    mapOwn(from, this.arrays.arrays.view(srcId));
    let errno = this.mapRemote(dpagemap, device, to, dst, DmaDir.FromDevice);
    if (errno === Errno.OK)
      errno = yield* source.copyOps.copyToRam(source, srcId, dstId, npages, preMigrateFence);
    this.unmapRemote(dpagemap, device, dst, npages);
    return errno;
  }

  /** The destination reads another device's pages, as for a source that cannot write to others. @kernel drm_pagemap_migrate_details.source_peer_migrates */
  *pullFromPeer({ devmem, from, to, srcId, dstId, npages }: CopyRun, source: Devmem): Steps<Errno> {
    const { device } = devmem.dpagemap;
    const src = this.arrays.arrays.view(srcId);
    mapOwn(to, this.arrays.arrays.view(dstId));
    let errno = this.mapRemote(source.dpagemap, device, from, src, DmaDir.ToDevice);
    if (errno === Errno.OK)
      errno = yield* devmem.copyOps.copyToDevmem(devmem, srcId, dstId, npages, devmem.preMigrateFence);
    this.unmapRemote(source.dpagemap, device, src, npages);
    return errno;
  }

  /** Memory of `dpagemap` as `device` reaches it. @kernel drm_pagemap_migrate_map_device_private_pages */
  mapRemote(
    dpagemap: DrmPagemap,
    device: DrmDevice,
    { entries, first, end }: EntrySpan,
    addrs: Uint32Array,
    dir: DmaDir,
  ): Errno {
    addrs.fill(NO_DMA_ADDR, 0, end - first);
    for (let at = first; at < end; ) {
      const npages = pagesOfEntry(entries, at);
      const order = 31 - Math.clz32(npages);
      const addr = dpagemap.ops.deviceMap(dpagemap, device, pageOfEntry(entries, at), order, dir);
      if (addr < 0) return Errno.EFAULT;
      addrs[at - first] = addr;
      at += npages;
    }
    return Errno.OK;
  }

  /** Undoes {@link mapRemote}, as far as it got. @kernel drm_pagemap_migrate_unmap_pages */
  unmapRemote(dpagemap: DrmPagemap, device: DrmDevice, addrs: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; ) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) dpagemap.ops.deviceUnmap(dpagemap, device, addr);
      i += 1 << dmaOrder(addr);
    }
  }
}

/** Memory of the very device that copies; what has no page there gets no address. @kernel drm_pagemap_migrate_populate_src_pages */
function mapOwn({ entries, first, end }: EntrySpan, addrs: Uint32Array): void {
  for (let at = first; at < end; ) {
    const npages = pagesOfEntry(entries, at);
    const page = pageOfEntry(entries, at);
    addrs[at - first] =
      page === NO_PFN
        ? NO_DMA_ADDR
        : dmaAddr(DmaProto.Vram, page, DmaDir.Bidirectional, 31 - Math.clz32(npages));
    // Of a large hole each page is one without an address.
    if (page === NO_PFN && npages > 1) addrs.fill(NO_DMA_ADDR, at - first, at - first + npages);
    at += npages;
  }
}
