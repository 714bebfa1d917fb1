/** One GPU: its parts put together, the requests of the host carried out, and kernels run on it. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import { type DmaAddr, DmaProto, dmaAddrAt, dmaOrder, dmaProto } from '../memory/dmaAddr.js';
import type { PageArrayId, PageArrays } from '../memory/pageArrays.js';
import { formatPfn, pfn } from '../memory/pfn.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { TableArena } from '../memory/radixTable.js';
import type { Gate } from '../sim/gate.js';
import type { Scheduler } from '../sim/scheduler.js';
import { STEP, type Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import { CopyEngine } from './copyEngine.js';
import { DeviceStep } from './deviceStep.js';
import { DmaResolver } from './dmaResolver.js';
import { FaultBuffer } from './faultBuffer.js';
import type { FaultSink } from './faultSink.js';
import { FifoInterconnect } from './fifoInterconnect.js';
import type { GpuConfig } from './gpuConfig.js';
import { GpuContext } from './gpuContext.js';
import { GpuMmu } from './gpuMmu.js';
import { GpuPageTable } from './gpuPageTable.js';
import type { VramAllocationId } from './gpuPort.js';
import type { GpuActivity, GpuRequestCounters, GpuSnapshot, VramCounters } from './gpuSnapshot.js';
import { FIRST_SPACE, type SpaceId } from './gpuSpace.js';
import { GpuTlb } from './gpuTlb.js';
import { type Interconnect, linkCount } from './interconnect.js';
import type { Iommu } from './iommu.js';
import { type GpuKernel, KernelLaunch } from './kernelLaunch.js';
import { Vram } from './vram.js';

/** What a GPU is given by its actor. */
export interface GpuWorld {
  readonly sched: Scheduler;
  readonly actor: ActorId;
  readonly memory: PhysicalMemory;
  /** This GPU's alone. */
  readonly tables: TableArena;
  readonly arrays: PageArrays;
  readonly iommu: Iommu;
  readonly sink: FaultSink;
  /** Where contexts stop when the run is paused. */
  readonly gate: Gate;
  /** A model other than first come, first served. */
  readonly interconnect?: Interconnect;
}

/**
 * The requests of `GpuPort` other than `copy` are plain methods, to be called as the messages come in: their effect is in the order of the
 * messages. Their modelled cost is for the caller to spend before it replies: {@link bindCostNs}, `config.costs.tlbInvalidateNs`.
 */
export class Gpu {
  readonly vram: Vram;
  readonly pageTable: GpuPageTable;
  readonly tlb: GpuTlb;
  readonly mmu: GpuMmu;
  readonly faults: FaultBuffer;
  readonly copyEngine: CopyEngine;
  private readonly resolver: DmaResolver;
  readonly requests: GpuRequestCounters = {
    binds: 0,
    boundPages: 0,
    bindErrors: 0,
    zaps: 0,
    zappedPages: 0,
    tlbInvalidations: 0,
    tlbEntriesInvalidated: 0,
    kernels: 0,
  };

  constructor(
    readonly config: GpuConfig,
    private readonly world: GpuWorld,
  ) {
    const { sched, memory, iommu } = world;
    const zone = memory.layout.vramOf(config.index);
    assert(
      zone.pages === config.vramPages,
      () => `gpu${config.index} and the physical layout differ in VRAM size`,
    );
    this.vram = new Vram(zone);
    this.pageTable = new GpuPageTable(world.tables);
    this.tlb = new GpuTlb({ entries: config.tlbEntries, ways: config.tlbWays });
    const { systemAtomics } = config;
    this.mmu = new GpuMmu(config.index, sched, this.tlb, this.pageTable, iommu, memory.words, systemAtomics);
    this.resolver = new DmaResolver(config.index, memory.layout, iommu);
    this.faults = makeFaultBuffer(config, world);
    this.copyEngine = makeCopyEngine(config, world);
  }

  /** Error: -ENOMEM. */
  allocVram(npages: number, pfns: PageArrayId): VramAllocationId | Errno {
    const id = this.vram.alloc(npages, this.world.arrays.view(pfns));
    this.noteVram();
    return id;
  }

  releaseVram(id: VramAllocationId): void {
    this.vram.release(id);
    this.noteVram();
  }

  private noteVram(): void {
    this.world.sched.at(DeviceStep.vramUsed, this.config.index, this.vram.usedPages);
  }

  /** The addresses are packed as `GpuPageTable.bind` says. Error: -ENOMEM, with nothing bound. */
  bind(page: Vpn, npages: number, addrs: PageArrayId, write: boolean, atomics = true): Errno {
    const view = this.world.arrays.view(addrs);
    const errno = this.bindChecked(page, npages, view, write, atomics);
    this.requests.binds++;
    if (errno === Errno.OK) this.requests.boundPages += npages;
    else this.requests.bindErrors++;
    this.world.sched.at(DeviceStep.bind, this.config.index, page, npages, errno);
    return errno;
  }

  zap(page: Vpn, npages: number): void {
    const zapped = this.pageTable.zap(page, npages);
    this.requests.zaps++;
    this.requests.zappedPages += zapped;
    this.world.sched.at(DeviceStep.zap, this.config.index, page, npages, zapped);
  }

  /** Nothing is bound in the space any more; contexts that still use it fault. */
  removeSpace(space: SpaceId): void {
    this.pageTable.removeSpace(space);
  }

  /** On return no access uses a translation for these pages that was read before. */
  invalidateTlb(page: Vpn, npages: number): void {
    const dropped = this.tlb.invalidate(page, npages);
    this.requests.tlbInvalidations++;
    this.requests.tlbEntriesInvalidated += dropped;
    this.world.sched.at(DeviceStep.tlbInvalidate, this.config.index, page, npages, dropped);
  }

  /** As {@link CopyEngine.copy}. */
  copy(src: PageArrayId, dst: PageArrayId, npages: number): Steps<Errno> {
    const { arrays } = this.world;
    return this.copyEngine.copy(arrays.view(src), arrays.view(dst), npages);
  }

  /** Modelled time of writing `npages` page-table entries. */
  bindCostNs(npages: number): number {
    const { bindNs, bindPageNs } = this.config.costs;
    return bindNs + npages * bindPageNs;
  }

  /** A context outside any kernel; the caller lets it join and leave the gate if it passes it. */
  createContext(index: number, count: number, space: SpaceId = FIRST_SPACE): GpuContext {
    const { memory, sched, gate } = this.world;
    return new GpuContext(
      { device: this.config.index, index, count, space },
      memory,
      sched,
      this.mmu,
      this.faults,
      gate,
    );
  }

  /** Runs a kernel on `count` contexts of its own, in one address space, and waits for its end. The first error that a context returned, else OK. */
  *launch(
    kernel: GpuKernel,
    name = 'kernel',
    count = this.config.contexts,
    space: SpaceId = FIRST_SPACE,
  ): Steps<Errno> {
    const { sched, gate, actor } = this.world;
    const { index, costs } = this.config;
    yield* sched.spend(costs.kernelLaunchNs);
    const contexts = Array.from({ length: count }, (_, i) => this.createContext(i, count, space));
    const run = new KernelLaunch(sched, gate, `gpu${index}.${name}`, contexts);
    this.requests.kernels++;
    if (sched.reach(DeviceStep.kernelStart, index, count)) yield STEP;
    const errno = yield* run.run(actor, kernel);
    sched.at(DeviceStep.kernelEnd, index, count, errno);
    return errno;
  }

  snapshot(): GpuSnapshot {
    const table = listEntries(this.pageTable, this.pageTable.entries);
    const tlb = listEntries(this.tlb, this.tlb.countValid());
    return {
      device: this.config.index,
      requests: { ...this.requests },
      faults: { ...this.faults.counters },
      mmu: { ...this.mmu.counters },
      tlbEvictions: this.tlb.evictions,
      ...this.activity(),
      iommuFaults: [...this.mmu.iommuFaults],
      ptePages: table.pages,
      ptes: table.ptes,
      tlbPages: tlb.pages,
      tlbPtes: tlb.ptes,
      vramRuns: this.listVramRuns(),
    };
  }

  activity(): GpuActivity {
    return {
      copies: { ...this.copyEngine.counters },
      vram: this.vramCounters(),
      faultsInFlight: this.faults.used,
      copiesInFlight: this.copyEngine.pending,
    };
  }

  private bindChecked(
    page: Vpn,
    npages: number,
    addrs: Uint32Array,
    write: boolean,
    atomics: boolean,
  ): Errno {
    this.checkAddrs(addrs, npages);
    return this.pageTable.bind(page, npages, addrs, write, atomics);
  }

  /** Each address is what it claims to be, and its VRAM is allocated. System pages are checked at each access. */
  private checkAddrs(addrs: Uint32Array, npages: number): void {
    let covered = 0;
    for (let at = 0; covered < npages; at++) {
      assert(at < addrs.length, 'a bind has fewer addresses than pages');
      const addr = dmaAddrAt(addrs, at);
      this.checkAddr(addr);
      covered += 1 << dmaOrder(addr);
    }
  }

  /** Of several pages the first and the last: to look at each would cost more than to bind them. */
  private checkAddr(addr: DmaAddr): void {
    const proto = dmaProto(addr);
    if (proto === DmaProto.System || proto === DmaProto.Null) return;
    const { index } = this.config;
    const first = this.resolver.frameOf(addr, false);
    const last = first + (1 << dmaOrder(addr)) - 1;
    if (proto === DmaProto.Peer) {
      // The resolver has asked for the first.
      const isMapped = first >= 0 && (last === first || this.world.iommu.peers.allows(last, false));
      assert(isMapped, () => `gpu${index} binds memory of a peer that is not mapped for it`);
      return;
    }
    const isFree = this.vram.isFree(pfn(first)) || (last !== first && this.vram.isFree(pfn(last)));
    assert(!isFree, () => `gpu${index} binds its VRAM ${formatPfn(pfn(first))}, which is free`);
  }

  private vramCounters(): VramCounters {
    const { allocations, releases, failures, usedPages, freePages } = this.vram;
    return { allocations, releases, failures, usedPages, freePages };
  }

  private listVramRuns(): Uint32Array {
    const words: number[] = [];
    this.vram.forEachRun((id, first, npages) => words.push(id, first, npages));
    return words.length === 0 ? NO_WORDS : new Uint32Array(words);
  }
}

function makeFaultBuffer(config: GpuConfig, world: GpuWorld): FaultBuffer {
  const buffer = {
    device: config.index,
    entries: config.faultBufferEntries,
    batchMax: config.faultBatchMax,
    outstandingMax: config.faultOutstandingMax,
    batchNs: config.costs.faultBatchNs,
    entryNs: config.costs.faultEntryNs ?? 0,
  };
  return new FaultBuffer(buffer, world.sched, world.actor, world.sink);
}

function makeCopyEngine(config: GpuConfig, world: GpuWorld): CopyEngine {
  const { sched, memory, iommu } = world;
  const engine = {
    device: config.index,
    engines: config.copyEngines,
    setupNs: config.costs.copySetupNs,
    links: linkCount(config.links),
  };
  const interconnect = world.interconnect ?? new FifoInterconnect(sched, config.links);
  return new CopyEngine(engine, sched, memory, iommu, interconnect);
}

interface Entries {
  readonly pages: Float64Array;
  readonly ptes: Uint32Array;
}

const NO_ENTRIES: Entries = { pages: new Float64Array(0), ptes: new Uint32Array(0) };
const NO_WORDS = new Uint32Array(0);

/** The `count` valid entries of a page table or a TLB. */
function listEntries(source: GpuPageTable | GpuTlb, count: number): Entries {
  if (count === 0) return NO_ENTRIES;
  const pages = new Float64Array(count);
  const ptes = new Uint32Array(count);
  let at = 0;
  source.forEach((page, pte) => {
    pages[at] = page;
    ptes[at] = pte;
    at++;
  });
  assert(at === count, () => `${at} entries where ${count} were counted`);
  return { pages, ptes };
}
