/** A GPU's address translation: TLB, then page table; system pages through the IOMMU at each access. */

import { AssertionFailure, assert } from '../base/assert.js';
import { formatVpn, PAGE_WORDS, type Vpn } from '../base/units.js';
import { DmaProto } from '../memory/dmaAddr.js';
import { PhysicalLayout } from '../memory/physicalLayout.js';
import type { Scheduler } from '../sim/scheduler.js';
import { DeviceStep } from './deviceStep.js';
import type { SystemAtomics } from './gpuConfig.js';
import type { GpuPageTable } from './gpuPageTable.js';
import {
  formatGpuPte,
  type GpuPte,
  gpuPteAllows,
  gpuPteAllowsAtomics,
  gpuPtePage,
  gpuPteProto,
  NO_GPU_PTE,
} from './gpuPte.js';
import { pageInSpace } from './gpuSpace.js';
import type { GpuTlb } from './gpuTlb.js';
import type { Iommu } from './iommu.js';

/** A module's own constants, unlike imported ones, cost nothing to read on the hot path. */
const MISS: GpuPte = NO_GPU_PTE;
const { Null, System, Vram, Peer } = DmaProto;
const WORDS = PAGE_WORDS;

/** An access of a GPU to RAM or to a peer's memory after its DMA mapping has ended, or beyond its direction: data would have been corrupted. */
export interface IommuFault {
  readonly device: number;
  readonly page: Vpn;
  /** Of RAM; a peer's frame has its own number. */
  readonly iova: number;
  readonly write: boolean;
}

export interface MmuCounters {
  /** Accesses for which the TLB had no answer. */
  tlbMisses: number;
  /** Accesses that faulted. */
  pageFaults: number;
  systemAccesses: number;
  vramAccesses: number;
  peerAccesses: number;
}

/**
 * Shared by all contexts of a GPU. A context uses what {@link tryPage} returns before its next yield; requests of the host are handled
 * between steps of the same thread, so no translation is taken away in between.
 */
export class GpuMmu {
  readonly counters: MmuCounters = {
    tlbMisses: 0,
    pageFaults: 0,
    systemAccesses: 0,
    vramAccesses: 0,
    peerAccesses: 0,
  };
  readonly iommuFaults: IommuFault[] = [];

  constructor(
    private readonly device: number,
    private readonly sched: Scheduler,
    private readonly tlb: GpuTlb,
    private readonly table: GpuPageTable,
    private readonly iommu: Iommu,
    private readonly words: Int32Array,
    private readonly systemAtomics: SystemAtomics = 'none',
  ) {
    assert(device < PhysicalLayout.sinkFrames, 'more devices than frames for what goes nowhere');
  }

  /** Index in 32-bit words of the page's first word, or -1 when the access faults. @throws AssertionFailure on an {@link IommuFault}. */
  tryPage(page: Vpn, write: boolean): number {
    const pte = this.entryFor(page, write);
    return pte === MISS ? -1 : this.frameOf(page, pte, write) * WORDS;
  }

  /**
   * For an atomic: as {@link tryPage} for a store, but a page whose entry does not allow atomics faults as well, and so does memory on which the
   * device cannot do them.
   */
  tryAtomic(page: Vpn): number {
    const pte = this.entryFor(page, true);
    if (pte === MISS) return -1;
    if (this.canDoAtomics(this.table.read(page))) return this.frameOf(page, pte, true) * WORDS;
    this.checkReach(page, pte);
    this.counters.pageFaults++;
    return -1;
  }

  /** A translation that outlives what it leads to is noticed, though nothing is accessed. @throws AssertionFailure on an {@link IommuFault}. */
  private checkReach(page: Vpn, pte: GpuPte): void {
    const target = gpuPtePage(pte);
    const proto = gpuPteProto(pte);
    if (proto === Peer && !this.iommu.peers.allows(target, true)) this.failIommu(page, pte, true);
    if (proto === System && this.iommu.translate(target, true) < 0) this.failIommu(page, pte, true);
  }

  /** In its own memory always, in RAM where it is made so, in another device's memory never. */
  private canDoAtomics(pte: GpuPte): boolean {
    if (!gpuPteAllowsAtomics(pte)) return false;
    const proto = gpuPteProto(pte);
    return proto === Vram || proto === Null || (proto === System && this.systemAtomics !== 'none');
  }

  private entryFor(page: Vpn, write: boolean): GpuPte {
    const pte = this.tlb.lookup(page, write);
    return pte === MISS ? this.walk(page, write) : pte;
  }

  /** What the page table says; remembered if it allows the access. */
  private walk(page: Vpn, write: boolean): GpuPte {
    this.counters.tlbMisses++;
    const pte = this.table.read(page);
    if (!gpuPteAllows(pte, write)) {
      this.counters.pageFaults++;
      return MISS;
    }
    this.tlb.fill(page, pte);
    return pte;
  }

  private frameOf(page: Vpn, pte: GpuPte, write: boolean): number {
    const target = gpuPtePage(pte);
    const proto = gpuPteProto(pte);
    if (proto === Vram) {
      this.counters.vramAccesses++;
      return target;
    }
    if (proto === Peer) {
      this.counters.peerAccesses++;
      if (!this.iommu.peers.allows(target, write)) this.failIommu(page, pte, write);
      return target;
    }
    if (proto === Null) return write ? this.cleanSink() : target;
    this.counters.systemAccesses++;
    const frame = this.iommu.translate(target, write);
    if (frame < 0) this.failIommu(page, pte, write);
    return frame;
  }

  /** Zeros to who loads what it is about to store to. Each device has a frame of its own. */
  private cleanSink(): number {
    const { device } = this;
    this.words.fill(0, device * WORDS, (device + 1) * WORDS);
    return device;
  }

  private failIommu(page: Vpn, pte: GpuPte, write: boolean): never {
    const { device } = this;
    const iova = gpuPtePage(pte);
    this.iommuFaults.push({ device, page: pageInSpace(page), iova, write });
    this.sched.at(DeviceStep.iommuFault, device, page, write ? 1 : 0, iova);
    const how = write ? 'stores to' : 'loads from';
    const what =
      gpuPteProto(pte) === Peer
        ? `frame 0x${iova.toString(16)} of a peer`
        : `I/O page 0x${iova.toString(16)}`;
    const inTable = formatGpuPte(this.table.read(page));
    throw new AssertionFailure(
      `gpu${device} ${how} page ${formatVpn(pageInSpace(page))} through ${what}, which its IOMMU does not map for that ` +
        `(translation used: ${formatGpuPte(pte)}; page table now: ${inTable})`,
    );
  }
}
