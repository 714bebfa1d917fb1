/** Everything that the rules look at, gathered once per verification, while nothing runs. */

import type { Coordinator } from '../actors/coordinator.js';
import { assert } from '../base/assert.js';
import { PAGE_WORDS, type Vpn, vpn } from '../base/units.js';
import type { VramAllocationId } from '../device/gpuPort.js';
import { type GpuPte, gpuPteAt, gpuPtePage, gpuPteProto } from '../device/gpuPte.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { DriverDevmem } from '../driver/driverDevmem.js';
import { DriverRange, type RangeDevice } from '../driver/driverRange.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { DeviceVm } from '../driver/vmBind/deviceVm.js';
import type { DriverVa } from '../driver/vmBind/driverVa.js';
import type { GpuSvmPages } from '../drm/gpusvm/pages.js';
import type { Zdd } from '../drm/pagemap/devmem.js';
import { type DmaAddr, DmaProto, dmaAddrAt, dmaOrder, dmaPage, dmaProto } from '../memory/dmaAddr.js';
import { usedPages } from '../memory/folioScan.js';
import { FolioFlag, type FolioTable } from '../memory/folios.js';
import type { FrameCounts } from '../memory/frameCounts.js';
import { NO_PFN, type Pfn, pfn as pfnOf } from '../memory/pfn.js';
import type { PhysicalLayout } from '../memory/physicalLayout.js';
import { ZoneKind } from '../memory/zone.js';
import type { CpuEntries } from '../mm/cpuEntries.js';
import type { Kernel } from '../mm/kernel.js';
import { countPageHolders } from '../mm/pageHolders.js';
import type { Mm } from '../mm/process/mm.js';
import { swapSlotOf } from '../mm/swap/swapCache.js';
import { PTE_NONE, type Pte, PteKind, pteFromWord, pteHoldsFolio, pteKind, ptePfn } from '../mm/table/pte.js';
import type { Subject } from './rule.js';

/** One device's part of one range. */
export interface MirrorPart {
  readonly vm: SvmVm;
  readonly range: DriverRange;
  readonly part: RangeDevice;
}

/** What one device sees of one address space: its mappings in the order of their addresses. */
export interface DeviceBindings {
  readonly vm: SvmVm;
  readonly deviceVm: DeviceVm;
  readonly vas: readonly DriverVa[];
}

/** Pages of the process that a device reaches: of a range, or bound by a program. */
export interface DmaHolder {
  readonly mm: Mm;
  readonly gpu: GpuHandle;
  readonly pages: GpuSvmPages;
  /** Of the CPU's addresses. */
  readonly start: Vpn;
  readonly npages: number;
}

/** One page of a holder that is mapped for a device's DMA. */
export interface DmaPage {
  readonly holder: DmaHolder;
  readonly page: Vpn;
  /** The address of this page alone: of a larger entry, its page. */
  readonly addr: DmaAddr;
  /** For entries of several pages: which of them this is. */
  readonly index: number;
}

export class MachineView {
  readonly kernel: Kernel;
  /** The first process's. */
  readonly mm: Mm;
  /** Every address space whose page table exists. */
  readonly mms: readonly Mm[];
  readonly folios: FolioTable;
  readonly layout: PhysicalLayout;
  /** All entries of all CPU page tables. */
  readonly entries: CpuEntries;
  /** How many entries of all address spaces map each folio, without the zero page. */
  readonly mappings: FrameCounts;
  /** How many references each folio should have. */
  readonly references: FrameCounts;
  /** Frames of which the metadata or a holder says that they are in use. */
  readonly used: readonly Pfn[];
  readonly vms: readonly SvmVm[];
  readonly bindings: readonly DeviceBindings[];
  readonly mirrors: readonly MirrorPart[];
  readonly holders: readonly DmaHolder[];
  readonly zdds: readonly Zdd[];
  /** Made when something is wrong. */
  private pageOf: ReadonlyMap<Pfn, Vpn> | null = null;

  constructor(
    readonly coordinator: Coordinator,
    /** One per device, in their order. */
    readonly devices: readonly GpuSnapshot[],
  ) {
    this.kernel = coordinator.kernel;
    this.mm = coordinator.mm;
    this.folios = this.kernel.folios;
    this.layout = this.kernel.memory.layout;
    this.vms = coordinator.vms;
    this.zdds = [...coordinator.zdds];
    this.mms = [...this.kernel.mms];
    const { entries, mappings, references } = countPageHolders(this.kernel);
    this.entries = entries;
    this.mappings = mappings;
    this.references = references;
    this.addEvictedObjects(references);
    this.used = usedPages(this.folios, references.frames);
    this.mirrors = listMirrors(this.vms);
    this.bindings = listBindings(this.vms);
    this.holders = [...this.mirrors.map(holderOf), ...listUserptrs(this.bindings)];
    devices.forEach((snapshot, i) => {
      assert(snapshot.device === i, () => `snapshot ${i} is that of gpu${snapshot.device}`);
    });
  }

  /** The pages in RAM of objects that were evicted. */
  private addEvictedObjects(references: FrameCounts): void {
    for (const { bos } of this.coordinator.gpus) {
      for (const bo of bos) {
        if (bo.memory.isVram) continue;
        for (const word of bo.pfns) references.add(pfnOf(word));
      }
    }
  }

  /** A frame, and the page that an entry of it is for, if there is one: to name it in violations. */
  subjectOf(pfn: Pfn): Subject {
    this.pageOf ??= pagesByFrame(this.entries);
    const page = this.pageOf.get(pfn);
    return page === undefined ? { pfn } : { page, pfn };
  }

  get gpus(): readonly GpuHandle[] {
    return this.coordinator.gpus;
  }

  /** What the CPU page table says of a page; the empty entry where it has no table. */
  pteAt(page: Vpn, mm: Mm = this.mm): Pte {
    return mm.count === 0 ? PTE_NONE : pteFromWord(mm.pageTable.get(page));
  }

  /** The page of real memory behind an entry: RAM or VRAM; null for none, for the zero page, in swap, and for a page in migration. */
  populatedPfn(pte: Pte): Pfn | null {
    const pfn = ptePfn(pte);
    return pteHoldsFolio(pte) && !this.isZeroPage(pte) ? pfn : null;
  }

  /** What a page holds, in memory or in swap; null where it was never written, and in migration. */
  contentAt(page: Vpn): Int32Array | null {
    const pte = this.pteAt(page);
    return pteKind(pte) === PteKind.None ? this.swappedAt(page) : this.contentOf(pte);
  }

  /** Every page of the first process that holds something, be it in swap: an entry names it, or the file of shared memory does. */
  forEachHeld(visit: (page: Vpn) => void): void {
    this.entries.forEach((mm, page) => {
      if (mm === this.mm) visit(page);
    });
    if (this.mm.count === 0) return;
    for (const vma of this.mm.vmas) {
      for (const index of vma.file?.mapping.swapped.keys() ?? []) {
        const page = vma.addressOfIndex(index);
        if (page >= 0 && pteKind(this.pteAt(vpn(page))) === PteKind.None) visit(vpn(page));
      }
    }
  }

  /** Entries of shared memory are empty where it was swapped out. */
  private swappedAt(page: Vpn): Int32Array | null {
    const vma = this.mm.count === 0 ? null : this.mm.vmas.find(page);
    const slot = vma?.file?.mapping.swapped.get(vma.indexOf(page));
    return slot === undefined ? null : this.kernel.swapCache.area.wordsOf(slot);
  }

  private contentOf(pte: Pte): Int32Array | null {
    const { memory, swapCache } = this.kernel;
    const isSwapped = pteKind(pte) === PteKind.Swap;
    const pfn = isSwapped ? swapCache.area.folioOf(swapSlotOf(pte)) : this.populatedPfn(pte);
    if (isSwapped && pfn === NO_PFN) return swapCache.area.wordsOf(swapSlotOf(pte));
    if (pfn === null) return null;
    const first = memory.wordIndex(pfn);
    return memory.words.subarray(first, first + PAGE_WORDS);
  }

  isZeroPage(pte: Pte): boolean {
    return pteKind(pte) === PteKind.Present && this.kernel.isZeroPage(ptePfn(pte));
  }

  /** Frames that {@link forEachFolio} and {@link forEachDeviceFrame} pass over: free by their metadata, and nobody holds them. */
  get freeFrames(): number {
    return this.layout.totalPages - this.used.length;
  }

  /** Each folio of every zone, by its head, of which the metadata or a holder says that it is in use. */
  forEachFolio(visit: (pfn: Pfn, zoneId: number) => void): void {
    for (const pfn of this.used) {
      if (!this.folios.testFlag(pfn, FolioFlag.Tail)) visit(pfn, this.layout.zoneOf(pfn).id);
    }
  }

  /** Each device frame of which the metadata or a holder says that it is in use. */
  forEachDeviceFrame(visit: (pfn: Pfn, device: number) => void): void {
    for (const pfn of this.used) {
      const zone = this.layout.zoneOf(pfn);
      if (zone.kind !== ZoneKind.System) visit(pfn, zone.deviceIndex);
    }
  }

  /** The frame that a device's page-table or TLB entry leads to now; `NO_PFN` when its I/O page is not mapped for that access. */
  resolveGpuPte(device: number, pte: GpuPte, write: boolean): Pfn {
    return this.resolve(device, gpuPteProto(pte), gpuPtePage(pte), write);
  }

  /** The frame behind a DMA address of a device; `NO_PFN` when its I/O page is not mapped. */
  resolveDmaAddr(device: number, addr: DmaAddr, index: number): Pfn {
    return this.resolve(device, dmaProto(addr), dmaPage(addr) + index, false);
  }

  private resolve(device: number, proto: number, target: number, write: boolean): Pfn {
    if (proto === DmaProto.Vram || proto === DmaProto.Null) return pfnOf(target);
    if (proto === DmaProto.Peer) {
      return this.gpus[device].iommu.iommu.peers.allows(target, write) ? pfnOf(target) : NO_PFN;
    }
    const frame = this.gpus[device].iommu.iommu.translate(target, write);
    return frame < 0 ? NO_PFN : (frame as Pfn);
  }

  /** Each page of a holder that has an address, whether or not it should. */
  forEachDmaPage(holder: DmaHolder, visit: (page: DmaPage) => void): void {
    const { dmaAddrs } = holder.pages;
    if (dmaAddrs === null) return;
    const { start, npages } = holder;
    let covered = 0;
    for (let at = 0; at < dmaAddrs.length && covered < npages; at++) {
      const addr = dmaAddrAt(dmaAddrs, at);
      const pages = 1 << dmaOrder(addr);
      for (let index = 0; index < pages; index++) {
        if (addr !== 0) visit({ holder, page: (start + covered + index) as Vpn, addr, index });
      }
      covered += pages;
    }
  }

  /** Visits the entries of a device's page table. */
  forEachGpuPte(snapshot: GpuSnapshot, visit: (page: Vpn, pte: GpuPte) => void): void {
    for (let i = 0; i < snapshot.ptePages.length; i++) {
      visit(snapshot.ptePages[i] as Vpn, gpuPteAt(snapshot.ptes, i));
    }
  }

  /** Allocations of device memory that the driver knows of. */
  allocationsOf(gpu: GpuHandle): DriverDevmem[] {
    return [...gpu.allocations];
  }

  /** All VRAM that the driver holds on a device, as the device's number of the allocation and its pages. */
  vramOf(gpu: GpuHandle): [VramAllocationId, number][] {
    const migrated = this.allocationsOf(gpu).map(({ vramId, npages }) => ({ id: vramId, npages }));
    const bound = [...gpu.bos].flatMap(({ pieces }) =>
      pieces.map(({ id, pfns }) => ({ id, npages: pfns.length })),
    );
    return [...migrated, ...bound].map(({ id, npages }) => [id, npages]);
  }

  /** The range of a mirror at a page. */
  rangeAt(vm: SvmVm, page: Vpn): DriverRange | null {
    const range = vm.gpusvm.findRange(page);
    return range instanceof DriverRange ? range : null;
  }

  /** The driver's allocation behind zone device data, if there is one. */
  devmemOf(zdd: Zdd): DriverDevmem | null {
    return zdd.devmem instanceof DriverDevmem ? zdd.devmem : null;
  }
}

/** The last page found of each frame, the zero page's included. */
function pagesByFrame(entries: CpuEntries): Map<Pfn, Vpn> {
  const pageOf = new Map<Pfn, Vpn>();
  entries.forEach((_, page, pte) => {
    if (pteHoldsFolio(pte) || pteKind(pte) === PteKind.Migration) pageOf.set(ptePfn(pte), page);
  });
  return pageOf;
}

function holderOf({ vm, range, part }: MirrorPart): DmaHolder {
  return { mm: vm.mm, gpu: part.gpu, pages: part.pages, start: range.start, npages: range.npages };
}

function listBindings(vms: readonly SvmVm[]): DeviceBindings[] {
  const bindings: DeviceBindings[] = [];
  for (const vm of vms)
    for (const deviceVm of vm.deviceVms.values()) bindings.push({ vm, deviceVm, vas: deviceVm.vas() });
  return bindings;
}

function listUserptrs(bindings: readonly DeviceBindings[]): DmaHolder[] {
  const holders: DmaHolder[] = [];
  for (const { vm, deviceVm, vas } of bindings) {
    for (const { userptr } of vas) {
      if (userptr === null) continue;
      const { pages, start, npages } = userptr;
      holders.push({ mm: vm.mm, gpu: deviceVm.gpu, pages, start, npages });
    }
  }
  return holders;
}

function listMirrors(vms: readonly SvmVm[]): MirrorPart[] {
  const mirrors: MirrorPart[] = [];
  for (const vm of vms) {
    for (const range of vm.gpusvm.allRanges()) {
      assert(range instanceof DriverRange, 'a range of another driver');
      for (const part of range.parts) mirrors.push({ vm, range, part });
    }
  }
  return mirrors;
}
