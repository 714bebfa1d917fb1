/** Copying the pages of a migration: makes their DMA addresses, has the device that owns one side copy, and takes the addresses back. */

import { Errno } from '../../base/errno.js';
import { DmaDir, DmaProto, dmaAddr, dmaAddrAt, NO_DMA_ADDR } from '../../memory/dmaAddr.js';
import { PAGE_ARRAY_PAGES, type PageArrayPool } from '../../memory/pageArrays.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { MigrateVmaArgs } from '../../mm/migrate/migrateVma.js';
import type { StepId, Steps } from '../../sim/steps.js';
import type { DrmDevice } from '../drmDevice.js';
import type { Devmem, Zdd, ZddTable } from './devmem.js';
import type { DrmPagemap } from './drmPagemap.js';
import { countPages, expandFrames, pageOfEntry, pagesOfEntry } from './migrateEntries.js';
import { PagemapStep } from './pagemapStep.js';

export class MigrateCopy {
  /** The last one looked up: pages of one allocation come in a row. Numbers are never used again. */
  private lastZdd: Zdd | null = null;
  /** Frames by page of the stretch at hand; meaningful until the next yield only. */
  private readonly srcFrames = new Uint32Array(PAGE_ARRAY_PAGES);
  private readonly dstFrames = new Uint32Array(PAGE_ARRAY_PAGES);

  constructor(
    private readonly kernel: Kernel,
    private readonly zdds: ZddTable,
    private readonly arrays: PageArrayPool,
  ) {}

  /** The zone device data of a device page that is to be moved; null for RAM and holes. */
  sourceAt(entries: Uint32Array, i: number): Zdd | null {
    const pfn = pageOfEntry(entries, i);
    if (pfn === NO_PFN || !this.kernel.memory.layout.isDevicePrivate(pfn)) return null;
    const id = this.kernel.folios.zoneData(pfn);
    if (this.lastZdd === null || this.lastZdd.id !== id) this.lastZdd = this.zdds.get(id);
    return this.lastZdd;
  }

  /** Splits the span into runs with the same source and has each copied by whoever owns its source. Errors: -ENOMEM, -EFAULT, -EIO. */
  *toDevmem(devmem: Devmem, args: MigrateVmaArgs, npages: number): Steps<Errno> {
    const startedNs = this.kernel.sched.now();
    let first = 0;
    while (first < npages) {
      const source = this.ownerAt(args.src, first);
      let end = first + pagesOfEntry(args.src, first);
      while (end < npages && this.ownerAt(args.src, end) === source) end += pagesOfEntry(args.src, end);
      const errno = yield* this.copyRun(devmem, source, args, first, end);
      if (errno !== Errno.OK) return errno;
      first = end;
    }
    this.noteCopy(PagemapStep.copiedToDevice, devmem, args.src, npages, startedNs);
    return Errno.OK;
  }

  /** Has the device copy its pages in `src` to RAM in `dst`, where there is a destination. Errors: -ENOMEM, -EIO. */
  *toRam(devmem: Devmem, src: Uint32Array, dst: Uint32Array, npages: number): Steps<Errno> {
    const startedNs = this.kernel.sched.now();
    const { device } = devmem.dpagemap;
    const [fromId, toId] = yield* this.arrays.borrowPair();
    const from = this.arrays.arrays.view(fromId);
    const to = this.arrays.arrays.view(toId);
    let errno = this.mapToSystem(device, src, dst, npages, from, to);
    if (errno === Errno.OK) errno = yield* devmem.ops.copyToRam(devmem, fromId, toId, npages);
    if (errno === Errno.OK) this.noteCopy(PagemapStep.copiedToRam, devmem, dst, npages, startedNs);
    this.unmapAll(device, to, npages);
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

  private ownerAt(src: Uint32Array, i: number): Devmem | null {
    return this.sourceAt(src, i)?.devmem ?? null;
  }

  private *copyRun(
    devmem: Devmem,
    source: Devmem | null,
    args: MigrateVmaArgs,
    first: number,
    end: number,
  ): Steps<Errno> {
    const { sched } = this.kernel;
    const startedNs = sched.now();
    const [srcId, dstId] = yield* this.arrays.borrowPair();
    const src = this.arrays.arrays.view(srcId);
    const dst = this.arrays.arrays.view(dstId);
    expandFrames(args.src, first, end, this.srcFrames);
    expandFrames(args.dst, first, end, this.dstFrames);
    const npages = end - first;
    let errno =
      source === null
        ? this.mapFromSystem(devmem.dpagemap.device, src, dst, npages)
        : this.mapFromPeer(devmem.dpagemap, source.dpagemap.device, src, dst, npages);
    if (errno === Errno.OK) {
      errno =
        source === null
          ? yield* devmem.ops.copyToDevmem(devmem, srcId, dstId, npages)
          : yield* source.ops.copyToRam(source, srcId, dstId, npages);
    }
    if (source === null) this.unmapAll(devmem.dpagemap.device, src, npages);
    else this.unmapFromPeer(devmem.dpagemap, source.dpagemap.device, dst, npages);
    this.arrays.giveBack(srcId);
    this.arrays.giveBack(dstId);
    const device = source === null ? -1 : source.dpagemap.device.index;
    sched.at(PagemapStep.copied, args.start + first, npages, device, sched.now() - startedNs);
    return errno;
  }

  /** RAM and holes: the destination reads system memory. */
  private mapFromSystem(device: DrmDevice, src: Uint32Array, dst: Uint32Array, npages: number): Errno {
    src.fill(0, 0, npages);
    for (let i = 0; i < npages; i++) {
      dst[i] = dmaAddr(DmaProto.Vram, this.dstFrames[i], DmaDir.Bidirectional);
      const frame = this.srcFrames[i] as Pfn;
      if (frame === NO_PFN) continue;
      const addr = device.dmaMapPage(frame, DmaDir.ToDevice);
      if (addr < 0) return Errno.ENOMEM;
      src[i] = addr;
    }
    return Errno.OK;
  }

  /** Another device's pages: the source writes to the destination over the peer link. */
  private mapFromPeer(
    dpagemap: DrmPagemap,
    source: DrmDevice,
    src: Uint32Array,
    dst: Uint32Array,
    npages: number,
  ): Errno {
    dst.fill(0, 0, npages);
    for (let i = 0; i < npages; i++) {
      src[i] = dmaAddr(DmaProto.Vram, this.srcFrames[i], DmaDir.Bidirectional);
      const to = this.dstFrames[i] as Pfn;
      const addr = dpagemap.ops.deviceMap(dpagemap, source, to, 0, DmaDir.FromDevice);
      if (addr < 0) return Errno.EFAULT;
      dst[i] = addr;
    }
    return Errno.OK;
  }

  /** Undoes {@link mapFromPeer}, as far as it got. */
  private unmapFromPeer(dpagemap: DrmPagemap, device: DrmDevice, addrs: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) dpagemap.ops.deviceUnmap(dpagemap, device, addr);
    }
  }

  private mapToSystem(
    device: DrmDevice,
    src: Uint32Array,
    dst: Uint32Array,
    npages: number,
    from: Uint32Array,
    to: Uint32Array,
  ): Errno {
    expandFrames(src, 0, npages, this.srcFrames);
    expandFrames(dst, 0, npages, this.dstFrames);
    to.fill(0, 0, npages);
    for (let i = 0; i < npages; i++) {
      const frame = this.dstFrames[i] as Pfn;
      if (frame === NO_PFN) continue;
      const addr = device.dmaMapPage(frame, DmaDir.FromDevice);
      if (addr < 0) return Errno.ENOMEM;
      from[i] = dmaAddr(DmaProto.Vram, this.srcFrames[i], DmaDir.Bidirectional);
      to[i] = addr;
    }
    return Errno.OK;
  }

  /** Ends DMA access to RAM. */
  private unmapAll(device: DrmDevice, addrs: Uint32Array, npages: number): void {
    for (let i = 0; i < npages; i++) {
      const addr = dmaAddrAt(addrs, i);
      if (addr !== NO_DMA_ADDR) device.dmaUnmapPage(addr);
    }
  }
}
