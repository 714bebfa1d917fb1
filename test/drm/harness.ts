/** What tests of the generic DRM layers share: the mm below, GPUs that are nothing but memory and ledgers, and a driver that does the least. */

import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { DeviceDma } from '../../src/device/deviceDma.js';
import { Iommu, iommuWordPfn } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import type { DmaFence } from '../../src/drm/dmaFence.js';
import type { DrmDevice } from '../../src/drm/drmDevice.js';
import { DrmDeviceLife } from '../../src/drm/drmDeviceLife.js';
import { GpuSvmDma } from '../../src/drm/gpusvm/getPages.js';
import {
  defaultContext,
  GpuSvm,
  type GpuSvmConfig,
  type GpuSvmContext,
  type GpuSvmOps,
  type RangeResult,
} from '../../src/drm/gpusvm/gpusvm.js';
import type { GpuSvmNotifier } from '../../src/drm/gpusvm/notifier.js';
import { GpuSvmPages } from '../../src/drm/gpusvm/pages.js';
import { GpuSvmRange } from '../../src/drm/gpusvm/range.js';
import { ScanMm } from '../../src/drm/gpusvm/scanMm.js';
import { Devmem, type DevmemOps, ZddTable } from '../../src/drm/pagemap/devmem.js';
import { DrmPagemap, type DrmPagemapOps } from '../../src/drm/pagemap/drmPagemap.js';
import { PagemapUnhold } from '../../src/drm/pagemap/pagemapHold.js';
import { type MigrateDetails, PagemapMigrate } from '../../src/drm/pagemap/pagemapMigrate.js';
import { BuddyAllocator } from '../../src/memory/buddyAllocator.js';
import {
  type DmaAddr,
  type DmaDir,
  DmaProto,
  dmaAddr,
  dmaAddrAt,
  dmaAddrPlus,
  dmaOrder,
  dmaPage,
  dmaProto,
  NO_DMA_ADDR,
} from '../../src/memory/dmaAddr.js';
import { type PageArrayId, PageArrayPool, PageArrays } from '../../src/memory/pageArrays.js';
import { type Pfn, pfn as pfnOf } from '../../src/memory/pfn.js';
import type { Kernel } from '../../src/mm/kernel.js';
import {
  type DevPagemap,
  NO_OWNER,
  type PagemapOwner,
  pagemapOwner,
} from '../../src/mm/migrate/devPagemap.js';
import { MigrateDevice } from '../../src/mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../../src/mm/migrate/migrateUnmap.js';
import { MigrateVma } from '../../src/mm/migrate/migrateVma.js';
import { Hmm } from '../../src/mm/mirror/hmm.js';
import { type NotifierRange, NotifyEvent, notifyEventName } from '../../src/mm/mirror/mmuNotifier.js';
import type { Mm } from '../../src/mm/process/mm.js';
import { Rmap } from '../../src/mm/rmap/rmap.js';
import { PteKind, pteKind, ptePfn } from '../../src/mm/table/pte.js';
import { LockClass } from '../../src/sim/lockOrder.js';
import { Mutex } from '../../src/sim/mutex.js';
import { defineStep, STEP, type Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import {
  checkAccounting,
  type KernelOptions,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  TestCpu,
} from '../mm/harness.js';

const driverLockClass = new LockClass('test driver lock');
/** I/O pages of a test GPU. */
const TEST_IO_PAGES = 4096;
const Step = { copy: defineStep('testgpu.copy', 'device', 'npages') } as const;

/** The mm with everything that drm calls of it. */
export class DrmMachine {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly hmm: Hmm;
  readonly migrateVma: MigrateVma;
  readonly migrateDevice: MigrateDevice;
  readonly zdds = new ZddTable();
  readonly arrays: PageArrayPool;
  readonly migrate: PagemapMigrate;
  readonly dma: GpuSvmDma;
  readonly scan: ScanMm;
  readonly gpus: readonly TestGpu[];
  readonly unhold: PagemapUnhold;

  /** `owners`: of each device; all the same unless told, so that they are peers. */
  constructor(options: KernelOptions = {}, owners: readonly number[] = []) {
    const vramPages = options.vramPages ?? [64, 64];
    this.machine = makeMachine({ ...options, vramPages });
    this.kernel = this.machine.kernel;
    this.mm = makeMm(this.kernel);
    this.cpu = new TestCpu(this.machine, this.mm);
    const rmap = new Rmap(this.kernel);
    const unmapper = new MigrateUnmap(this.kernel, rmap);
    this.hmm = new Hmm(this.kernel, this.machine.calls.faults);
    this.migrateVma = new MigrateVma(this.kernel, unmapper, rmap);
    this.migrateDevice = new MigrateDevice(this.kernel, unmapper);
    this.arrays = new PageArrayPool(this.kernel.sched, PageArrays.allocate(8));
    this.migrate = new PagemapMigrate(
      this.kernel,
      this.migrateVma,
      this.migrateDevice,
      this.zdds,
      this.arrays,
    );
    this.dma = new GpuSvmDma(this.kernel, this.hmm, this.zdds);
    this.scan = new ScanMm(this.kernel, this.hmm, this.zdds);
    this.unhold = new PagemapUnhold(this.kernel.sched, actorId(0));
    this.gpus = vramPages.map((_, i) => new TestGpu(this, i, pagemapOwner(owners[i] ?? 1)));
  }

  run<T>(steps: Steps<T>): T {
    return run(this.kernel, steps);
  }

  map(start: number, npages: number, prot?: number): Vpn {
    return mapFixed(this.machine, this.mm, start, npages, prot);
  }

  /** Maps memory and gives page i the value `start + i`. */
  mapFilled(start: number, npages: number): Vpn {
    const at = this.map(start, npages);
    for (let i = 0; i < npages; i++) this.touch(start + i);
    return at;
  }

  /** The CPU stores the page's own number in it. */
  touch(page: number): void {
    assert(this.run(this.cpu.store(page, page)) === Errno.OK, 'a store of the CPU failed');
  }

  /** What the CPU reads in word 0 of consecutive pages. */
  read(start: number, npages: number): number[] {
    return Array.from({ length: npages }, (_, i) => this.run(this.cpu.load(start + i)));
  }

  /** Word 0 of consecutive pages where they are, without an access; 0 where there is none. */
  peek(start: number, npages: number): number[] {
    return Array.from({ length: npages }, (_, i) => {
      const pfn = ptePfn(pteOf(this.mm, start + i));
      return pfn === 0 ? 0 : this.kernel.memory.words[this.kernel.memory.wordIndex(pfn)];
    });
  }

  /** `none`, `zero`, `ram`, `vram0`, ... of consecutive pages. */
  places(start: number, npages: number): string[] {
    return Array.from({ length: npages }, (_, i) => this.placeOf(start + i));
  }

  pfnOf(page: number): Pfn {
    return ptePfn(pteOf(this.mm, page));
  }

  /** At rest: references and mappings of all pages are the entries', no page is locked, nothing is borrowed. */
  checkAtRest(): void {
    checkAccounting(this.kernel, [this.mm]);
    assert(this.arrays.lent === 0, 'page arrays are lent at rest');
    assert(!this.mm.mmapLock.isLocked, 'mmap_lock is held at rest');
    const { activeInvalidations, invalidateSeq } = this.mm.notifiers;
    assert(activeInvalidations === 0 && invalidateSeq % 2 === 0, 'an invalidation runs at rest');
    for (const gpu of this.gpus) gpu.checkMemory();
  }

  private placeOf(page: number): string {
    const pte = pteOf(this.mm, page);
    switch (pteKind(pte)) {
      case PteKind.None:
        return 'none';
      case PteKind.Migration:
        return 'migration';
      default:
        return ptePfn(pte) === this.kernel.zeroPage
          ? 'zero'
          : this.kernel.memory.layout.zoneOf(ptePfn(pte)).name;
    }
  }
}

/** A GPU without a page table: memory, DMA ledgers and a copy engine, each of which can be told to fail. */
export class TestGpu extends DeviceDma implements DrmDevice, DrmPagemapOps, DevmemOps {
  readonly life: DrmDeviceLife;
  readonly dpagemap: DrmPagemap;
  /** Pagemaps that the generic layer has destroyed. */
  readonly destroyed: DrmPagemap[] = [];
  readonly vram: BuddyAllocator;
  /** Live mappings of this device's memory by any device. */
  readonly peers = new Map<DmaAddr, number>();
  readonly released: Devmem[] = [];
  /** What each copy was: `to devmem 4` or `to ram 4`. */
  readonly copies: string[] = [];
  /** DMA mappings of RAM that still succeed. */
  mapsLeft = Number.POSITIVE_INFINITY;
  /** Mappings of this device's memory that still succeed. */
  deviceMapsLeft = Number.POSITIVE_INFINITY;
  populateErrno: Errno = Errno.OK;
  copyErrno: Errno = Errno.OK;
  /** Runs in each copy, before the bytes move. */
  onCopy: (() => Steps<void>) | null = null;
  private readonly pages = new Map<Devmem, Pfn[]>();
  private nextAllocation = 1;

  constructor(
    private readonly drm: DrmMachine,
    index: number,
    owner: PagemapOwner,
  ) {
    super(index, new IommuMapper(Iommu.allocate(TEST_IO_PAGES, drm.kernel.memory.layout.totalPages), index));
    this.iommu.shouldFail = () => this.mapsLeft-- <= 0;
    this.life = new DrmDeviceLife(`test gpu${index}`);
    const { kernel } = drm;
    const zone = kernel.memory.layout.vramOf(index);
    this.vram = new BuddyAllocator(zone.firstPfn, zone.pages);
    const pagemap: DevPagemap = {
      zoneId: zone.id,
      owner,
      ops: drm.migrate.pagemapOps,
    };
    const dpagemap = DrmPagemap.create(this, pagemap, this, drm.unhold);
    assert(typeof dpagemap !== 'number', 'no memory for a pagemap');
    this.dpagemap = dpagemap;
    kernel.addPagemap(pagemap);
  }

  /** Device memory for `npages`, with pages full of garbage. */
  allocate(npages: number, mm: Mm = this.drm.mm): Devmem {
    const { kernel } = this.drm;
    const devmem = new Devmem(kernel.sched, this.dpagemap, mm, this, npages, this.nextAllocation++);
    const pfns: Pfn[] = [];
    for (let i = 0; i < npages; i++) {
      const pfn = this.vram.alloc(0);
      assert(pfn >= 0, 'test GPU is full');
      pfns.push(pfnOf(pfn));
      kernel.memory.words.fill(-1, kernel.memory.wordIndex(pfn), kernel.memory.wordIndex(pfn + 1));
    }
    this.pages.set(devmem, pfns);
    return devmem;
  }

  /** Allocates and migrates, as a driver's populate_mm does; mmap_lock is taken here. */
  *migrateHere(
    start: number,
    npages: number,
    details: Partial<MigrateDetails> = {},
    devmem: Devmem = this.allocate(npages),
  ): Steps<Errno> {
    const { mm, migrate } = this.drm;
    yield* mm.mmapLock.read();
    const errno = yield* migrate.migrateToDevmem(devmem, mm, vpn(start), vpn(start + npages), {
      timesliceNs: 0,
      canMigrateSamePagemap: false,
      ...details,
    });
    mm.mmapLock.readUnlock();
    return errno;
  }

  /** Pages of RAM mapped for DMA now. */
  get system(): { readonly size: number } {
    return { size: this.iommu.live };
  }

  /** Allocations that were not released. */
  get live(): Devmem[] {
    return [...this.pages.keys()];
  }

  deviceMap(dpagemap: DrmPagemap, device: DrmDevice, pfn: Pfn, order: number, dir: DmaDir): DmaAddr | Errno {
    assert(dpagemap === this.dpagemap, "device_map of another device's pagemap");
    if (this.deviceMapsLeft === 0) return Errno.EIO;
    this.deviceMapsLeft--;
    const isOwn = device === this;
    const addr = isOwn ? dmaAddr(DmaProto.Vram, pfn, dir, order) : device.dmaMapResource(pfn, dir, order);
    if (isOwn) device.ledger.map(addr);
    this.peers.set(addr, (this.peers.get(addr) ?? 0) + 1);
    return addr;
  }

  deviceUnmap(dpagemap: DrmPagemap, device: DrmDevice, addr: DmaAddr): void {
    if (device === this) device.ledger.unmap(addr);
    else device.dmaUnmapResource(addr);
    assert(dpagemap === this.dpagemap, "device_unmap of another device's pagemap");
    const count = this.peers.get(addr) ?? 0;
    assert(count > 0, 'device_unmap of what is not mapped');
    if (count === 1) this.peers.delete(addr);
    else this.peers.set(addr, count - 1);
  }

  destroy(dpagemap: DrmPagemap): void {
    this.destroyed.push(dpagemap);
  }

  *populateMm(_dpagemap: DrmPagemap, _mm: Mm, start: Vpn, end: Vpn, timesliceNs: number): Steps<Errno> {
    const { mm, migrate } = this.drm;
    const details = { timesliceNs, canMigrateSamePagemap: false };
    return yield* migrate.migrateToDevmem(this.allocate(end - start), mm, start, end, details);
  }

  devmemRelease(devmem: Devmem): void {
    const pfns = this.pages.get(devmem);
    assert(pfns !== undefined, 'device memory is released twice');
    this.pages.delete(devmem);
    for (const pfn of pfns) this.vram.free(pfn, 0);
    this.released.push(devmem);
  }

  populateDevmemPfn(devmem: Devmem, npages: number, pfns: Uint32Array): Errno {
    if (this.populateErrno !== Errno.OK) return this.populateErrno;
    const own = this.pages.get(devmem);
    assert(own !== undefined && npages <= own.length, 'populate of memory that is not there');
    for (let i = 0; i < npages; i++) pfns[i] = own[i];
    return Errno.OK;
  }

  copyToDevmem(
    _devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    return this.copy(`to devmem ${npages}`, src, dst, npages, fence);
  }

  pagesPerCpuFault(devmem: Devmem): number {
    return devmem.npages;
  }

  copyToRam(
    _devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    return this.copy(`to ram ${npages}`, src, dst, npages, fence);
  }

  /** Every page in use belongs to a live allocation, and pages objects aside nothing is mapped for DMA. */
  checkMemory(): void {
    const pages = this.live.reduce((sum, devmem) => sum + devmem.npages, 0);
    assert(
      this.vram.usedPages === pages,
      () => `vram${this.index}: ${this.vram.usedPages} pages used, ${pages} held`,
    );
  }

  private *copy(
    what: string,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    fence: DmaFence | null,
  ): Steps<Errno> {
    this.copies.push(what);
    const fenceErrno = fence === null ? Errno.OK : yield* fence.wait();
    if (fenceErrno !== Errno.OK) return fenceErrno;
    if (this.drm.kernel.sched.reach(Step.copy, this.index, npages)) yield STEP;
    if (this.onCopy !== null) yield* this.onCopy();
    if (this.copyErrno !== Errno.OK) return this.copyErrno;
    const { arrays } = this.drm.arrays;
    const from = pageAddrs(arrays.view(src), npages);
    const to = pageAddrs(arrays.view(dst), npages);
    for (let i = 0; i < npages; i++) this.copyPage(from[i], to[i]);
    return Errno.OK;
  }

  private copyPage(src: DmaAddr, dst: DmaAddr): void {
    const { memory } = this.drm.kernel;
    if (dst === NO_DMA_ADDR) return;
    const to = this.resolve(dst);
    if (src === NO_DMA_ADDR) memory.zeroPages(to, 1);
    else memory.copyPages(to, this.resolve(src), 1);
  }

  private resolve(addr: DmaAddr): Pfn {
    if (dmaProto(addr) !== DmaProto.System) return pfnOf(dmaPage(addr));
    const word = this.iommu.iommu.words[dmaPage(addr)];
    assert(word !== 0, 'DMA through an address that is not mapped');
    return iommuWordPfn(word);
  }
}

/** The address of each page, where an address of several pages stands for those behind it too. */
function pageAddrs(addrs: Uint32Array, npages: number): DmaAddr[] {
  const pages: DmaAddr[] = [];
  while (pages.length < npages) {
    const addr = dmaAddrAt(addrs, pages.length);
    for (let i = 0; i < 1 << dmaOrder(addr); i++) pages.push(dmaAddrPlus(addr, i));
  }
  return pages;
}

export const TEST_CONFIG: GpuSvmConfig = {
  name: 'test svm',
  start: vpn(0),
  npages: 2 ** 35,
  notifierPages: 64,
  chunkPages: [16, 4, 1],
};

/** The least that a driver does: one pages object per device and range, unmapped in every callback. */
export class TestDriver implements GpuSvmOps {
  readonly gpusvm: GpuSvm;
  readonly lock: Mutex;
  /** `EVENT start+npages` of each callback that found ranges. */
  readonly events: string[] = [];
  readonly freed: GpuSvmRange[] = [];
  readonly unmapped: GpuSvmRange[] = [];
  private readonly pages = new Map<GpuSvmRange, GpuSvmPages[]>();

  constructor(
    readonly drm: DrmMachine,
    config: Partial<GpuSvmConfig> = {},
    readonly gpus: readonly TestGpu[] = drm.gpus,
  ) {
    const { kernel, mm, hmm } = drm;
    this.lock = new Mutex(kernel.sched, 'test driver lock', driverLockClass);
    const gpusvm = GpuSvm.init(kernel.sched, { ...TEST_CONFIG, ...config }, mm, hmm, this);
    assert(typeof gpusvm !== 'number', 'the configuration of a test is wrong');
    this.gpusvm = gpusvm;
    gpusvm.driverSetLock(this.lock);
  }

  *invalidate(gpusvm: GpuSvm, notifier: GpuSvmNotifier, range: NotifierRange): Steps<void> {
    gpusvm.notifierLock.assertHeldForWrite();
    for (const hit of [...notifier.rangesIn(range.start, range.end)]) {
      this.events.push(`${notifyEventName(range.event)} ${range.start}+${range.end - range.start}`);
      const all = this.pagesOf(hit);
      for (const pages of all) {
        yield* this.drm.dma.unmapPages(gpusvm, pages, hit.npages, { ...defaultContext, inNotifier: true });
      }
      if (range.event !== NotifyEvent.Unmap) continue;
      gpusvm.rangeSetUnmapped(hit, all, all.length, range);
      this.unmapped.push(hit);
    }
  }

  rangeAlloc(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, migrateDevmem: boolean): GpuSvmRange {
    const range = new GpuSvmRange(notifier, start, end, migrateDevmem);
    this.pages.set(
      range,
      this.gpus.map((gpu) => new GpuSvmPages(gpu)),
    );
    return range;
  }

  rangeFree(range: GpuSvmRange): void {
    this.freed.push(range);
    this.pages.delete(range);
  }

  pagesOf(range: GpuSvmRange): GpuSvmPages[] {
    const pages = this.pages.get(range);
    assert(pages !== undefined, 'no such range');
    return pages;
  }

  /** With the driver's lock, as a fault would. */
  *find(page: number, ctx: Partial<GpuSvmContext> = {}, low = 0, high = 2 ** 35): Steps<RangeResult> {
    yield* this.lock.lock();
    const result = yield* this.gpusvm.rangeFindOrInsert(vpn(page), vpn(low), vpn(high), {
      ...defaultContext,
      ...ctx,
    });
    this.lock.unlock();
    return result;
  }

  /** Runs {@link find}, which must succeed. */
  rangeAt(page: number, ctx: Partial<GpuSvmContext> = {}): GpuSvmRange {
    const result = this.drm.run(this.find(page, ctx));
    assert('range' in result, () => `no range at ${page}: ${'errno' in result ? result.errno : ''}`);
    return result.range;
  }

  getPages(range: GpuSvmRange, device = 0, ctx: Partial<GpuSvmContext> = {}): Steps<Errno> {
    const { interval } = range.notifier;
    const pages = this.pagesOf(range)[device];
    const owner = this.gpus[device].dpagemap.pagemap.owner;
    return this.drm.dma.getPages(this.gpusvm, pages, this.drm.mm, interval, range.start, range.end, {
      ...defaultContext,
      owner,
      ...ctx,
    });
  }

  *unmapPages(range: GpuSvmRange, device = 0): Steps<void> {
    yield* this.drm.dma.unmapPages(this.gpusvm, this.pagesOf(range)[device], range.npages, defaultContext);
  }

  *remove(range: GpuSvmRange): Steps<void> {
    yield* this.lock.lock();
    yield* this.gpusvm.rangeRemove(range);
    this.lock.unlock();
  }

  *fini(): Steps<void> {
    yield* this.lock.lock();
    yield* this.gpusvm.fini();
    this.lock.unlock();
  }

  /** The pages that a device's addresses lead to. */
  targets(range: GpuSvmRange, device = 0): (Pfn | null)[] {
    const { dmaAddrs } = this.pagesOf(range)[device];
    const targets: (Pfn | null)[] = [];
    for (let j = 0; targets.length < range.npages; j++) {
      const addr = dmaAddrs === null ? NO_DMA_ADDR : dmaAddrAt(dmaAddrs, j);
      for (let i = 0; i < 1 << dmaOrder(addr); i++) targets.push(this.targetOf(addr, i, device));
    }
    return targets;
  }

  private targetOf(addr: DmaAddr, index: number, device: number): Pfn | null {
    if (addr === NO_DMA_ADDR) return null;
    if (dmaProto(addr) !== DmaProto.System) return pfnOf(dmaPage(addr) + index);
    const word = this.gpus[device].iommu.iommu.words[dmaPage(addr) + index];
    return word === 0 ? null : iommuWordPfn(word);
  }
}

export { NO_OWNER };
