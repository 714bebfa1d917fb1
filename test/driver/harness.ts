/** What tests of the driver share: a whole small system under the virtual executor, with accesses by hand and a check of everything at rest. */

import { Coordinator } from '../../src/actors/coordinator.js';
import { CpuThread } from '../../src/actors/cpuThread.js';
import { DeviceActor } from '../../src/actors/deviceActor.js';
import { assert } from '../../src/base/assert.js';
import type { Errno } from '../../src/base/errno.js';
import { formatVpn, type Vpn, vpn } from '../../src/base/units.js';
import { GPU_DEFAULTS, type GpuCosts, NO_GPU_COSTS, type SystemAtomics } from '../../src/device/gpuConfig.js';
import type { GpuContext } from '../../src/device/gpuContext.js';
import {
  formatGpuPte,
  type GpuPte,
  gpuPteIsWritable,
  gpuPtePage,
  gpuPteProto,
} from '../../src/device/gpuPte.js';
import type { LinkSpec } from '../../src/device/interconnect.js';
import { Iommu } from '../../src/device/iommu.js';
import { DriverRange } from '../../src/driver/driverRange.js';
import { areLinked, type PeerLinks } from '../../src/driver/peerLinks.js';
import { migrateToFaulting, type PlacementPolicy } from '../../src/driver/placement.js';
import type { PrefetchPolicy } from '../../src/driver/prefetchPolicy.js';
import { AccessBracket } from '../../src/memory/accessBracket.js';
import { type AccessPort, holdPage } from '../../src/memory/accessPort.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import { DmaProto, dmaAddrAt, dmaProto } from '../../src/memory/dmaAddr.js';
import { FolioTable } from '../../src/memory/folios.js';
import { PageArrays } from '../../src/memory/pageArrays.js';
import { type Pfn, pfn as pfnOf } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import { TableArena } from '../../src/memory/radixTable.js';
import { ZoneKind } from '../../src/memory/zone.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import type { MmCosts } from '../../src/mm/kernel.js';
import { census, forEachPte } from '../../src/mm/mmCensus.js';
import type { Mm } from '../../src/mm/process/mm.js';
import { formatPte, type Pte, PteKind, pteFromWord, pteKind, ptePfn } from '../../src/mm/table/pte.js';
import { Port } from '../../src/sim/port.js';
import { Ring } from '../../src/sim/ring.js';
import type { StepObserver } from '../../src/sim/scheduler.js';
import { type StepId, type Steps, stepDefinition } from '../../src/sim/steps.js';
import { actorId, type Task } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { NO_COSTS } from '../mm/harness.js';

export interface SystemOptions {
  /** 2 unless told. */
  readonly devices?: number;
  /** 1 unless told. */
  readonly cpuThreads?: number;
  /** N:1 unless told. */
  readonly layout?: 'n1' | 'n1-shared-fault' | 'one-to-one';
  /** Peers unless told. */
  readonly interconnect?: PeerLinks;
  /** Where atomics need pages on the device; 20 us unless told. */
  readonly atomicTimesliceNs?: number;
  /** None unless told. */
  readonly systemAtomics?: SystemAtomics;
  /** 1 unless told. */
  readonly migratePagesMin?: number;
  /** 0 unless told. */
  readonly togetherPages?: number;
  /** Not unless told. */
  readonly clearVram?: boolean;
  /** To the faulting device unless told. */
  readonly policy?: PlacementPolicy;
  readonly prefetch?: PrefetchPolicy;
  /** 512 unless told. */
  readonly ramPages?: number;
  /** Of each device; 128 unless told. */
  readonly vramPages?: number;
  /** 16 pages, then 1, unless told. */
  readonly chunkPages?: readonly number[];
  /** 64 unless told. */
  readonly notifierPages?: number;
  /** None unless told. */
  readonly timesliceNs?: number;
  /** 0 unless told: ranges are made whether or not the CPU has touched them. */
  readonly checkPagesThreshold?: number;
  /** 16 unless told. */
  readonly pagesPerStep?: number;
  readonly costs?: MmCosts;
  readonly gpuCosts?: GpuCosts;
  /** Of all links; infinitely fast unless told. */
  readonly link?: LinkSpec;
  readonly seed?: number;
  /** Messages a ring holds; 64 unless told. */
  readonly ringCapacity?: number;
  readonly gpuTables?: number;
  readonly ioPages?: number;
}

const INSTANT: LinkSpec = { bandwidthBytesPerNs: Number.POSITIVE_INFINITY, latencyNs: 0 };
const TABLES = 64;

/** A step as {@link System.trace} saw it. */
export interface SeenStep {
  readonly name: string;
  readonly task: string;
  readonly args: readonly number[];
}

export class System implements StepObserver {
  readonly executor: VirtualExecutor;
  readonly memory: PhysicalMemory;
  readonly folios: FolioTable;
  readonly coordinator: Coordinator;
  readonly devices: readonly DeviceActor[];
  readonly cpus: readonly CpuThread[];
  readonly arrays: PageArrays;
  readonly seen: SeenStep[] = [];
  /** Called at each step; a test may look, but not change. */
  onEachStep: ((step: SeenStep) => void) | null = null;
  private readonly cpuTables = TableArena.allocate(TABLES * 8);

  constructor(readonly options: SystemOptions = {}) {
    const deviceCount = options.devices ?? 2;
    const cpuCount = options.cpuThreads ?? 1;
    const vramPages = options.vramPages ?? 128;
    const vram = Array.from({ length: deviceCount }, () => ({
      pages: vramPages,
      kind: ZoneKind.DevicePrivate,
    }));
    const layout = new PhysicalLayout({ ramPages: options.ramPages ?? 512, vram });
    this.executor = new VirtualExecutor(new RandomStrategy(options.seed ?? 1));
    this.memory = PhysicalMemory.allocate(layout);
    this.folios = FolioTable.allocate(layout);
    this.arrays = PageArrays.allocate(16);
    const iommus = vram.map(() => Iommu.allocate(options.ioPages ?? 2048, layout.totalPages));
    const brackets = new SharedArrayBuffer(AccessBracket.bytesFor(Math.max(1, cpuCount)));
    const payloads = Array.from(
      { length: cpuCount },
      () => new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8),
    );
    const links = Array.from({ length: deviceCount + cpuCount }, (_, i) => this.connect(i));
    this.coordinator = new Coordinator(
      {
        layout: options.layout ?? 'n1',
        interconnect: options.interconnect ?? 'peer',
        clearVram: options.clearVram ?? false,
        chunkPages: options.chunkPages ?? [16, 1],
        notifierPages: options.notifierPages ?? 64,
        timesliceNs: options.timesliceNs ?? 0,
        atomicTimesliceNs: options.atomicTimesliceNs ?? 20_000,
        systemAtomics: options.systemAtomics ?? 'none',
        migratePagesMin: options.migratePagesMin ?? 1,
        togetherPages: options.togetherPages ?? 0,
        checkPagesThreshold: options.checkPagesThreshold ?? 0,
        pagesPerStep: options.pagesPerStep ?? 16,
        costs: options.costs ?? NO_COSTS,
      },
      {
        sched: this.executor,
        memory: this.memory,
        folios: this.folios,
        tables: this.cpuTables,
        brackets: Array.from({ length: cpuCount }, (_, i) => new AccessBracket(brackets, i)),
        arrays: this.arrays,
        iommus,
        policy: options.policy ?? migrateToFaulting(false),
        payloads,
        ...(options.prefetch === undefined ? {} : { prefetch: options.prefetch }),
      },
      links.slice(0, deviceCount).map(({ host }) => host),
      links.slice(deviceCount).map(({ host }) => host),
    );
    this.devices = iommus.map((iommu, i) =>
      this.makeDevice(i, deviceCount, vramPages, iommu, links[i].other),
    );
    this.cpus = Array.from({ length: cpuCount }, (_, i) => {
      const world = {
        sched: this.executor,
        actor: actorId(1 + deviceCount + i),
        memory: this.memory,
        tableWords: this.cpuTables.words,
        tableRoot: this.coordinator.mm.pageTable.root,
        bracket: new AccessBracket(brackets, i),
        accessNs: 0,
        payload: payloads[i],
      };
      return new CpuThread(i, world, links[deviceCount + i].other);
    });
    this.executor.observer = this;
  }

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const seen = { name: stepDefinition(step).name, task: task?.name ?? '', args: [a, b, c, d] };
    this.seen.push(seen);
    this.onEachStep?.(seen);
  }

  /** Runs one generator to its end, and whatever else can run meanwhile, and returns its value. */
  run<T>(steps: Steps<T>): T {
    return this.runAll([steps])[0];
  }

  /** Runs generators as concurrent tasks until nothing can go on; rethrows what any task threw, and reports a deadlock. */
  runAll<T>(bodies: readonly Steps<T>[]): T[] {
    const results: T[] = new Array<T>(bodies.length);
    bodies.forEach((body, i) => {
      this.executor.spawn(actorId(0), `test-${i}`, keep(body, results, i));
    });
    const end = this.executor.run(undefined, 5_000_000);
    if (this.executor.failure !== null) throw this.executor.failure.cause;
    assert(end === 'idle', () => `the run ended as ${end}; last steps: ${this.lastSteps(30).join(' ')}`);
    const stuck = this.executor
      .stuckTasks()
      .map((task) => `${task.name} waits for ${task.waitingFor?.describeWait(task)}`);
    assert(stuck.length === 0, () => `deadlock: ${stuck.join('; ')}`);
    return results;
  }

  lastSteps(count: number): string[] {
    return this.seen.slice(-count).map(({ name }) => name);
  }

  /** Names of the steps seen since the last call, of the given names only, consecutive repetitions once. */
  trace(names: readonly string[]): string[] {
    const wanted = new Set(names);
    const found = this.seen.splice(0).filter(({ name }) => wanted.has(name));
    return found.map(({ name }) => name).filter((name, i, all) => name !== all[i - 1]);
  }

  /** A child of the first process, which one of the CPU threads runs from now on. */
  fork(thread: number): Mm {
    const { mm, ioctls } = this.coordinator;
    const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
    const call = { mm, thread: 0, payload, device: 0, page: vpn(0), npages: 0, a: 0, b: 0 };
    const { a } = this.run(ioctls.handle(IoctlRequest.fork, call));
    const child = this.coordinator.processes.find(a);
    assert(child !== null, 'fork made no process');
    this.run(this.cpus[thread].enterProcess(child.id));
    return child;
  }

  /** Maps fresh memory, readable and writable unless told. */
  map(start: number, npages: number, prot: number = Prot.Read | Prot.Write): Vpn {
    const result = this.run(this.cpus[0].mmap(vpn(start), npages, prot, MapFlag.Fixed));
    assert(result === start, () => `mmap returned ${result}`);
    return vpn(start);
  }

  /** A context of a device, for accesses by hand. */
  context(device: number, index = 0): GpuContext {
    return this.devices[device].gpu.createContext(index, 1);
  }

  pte(page: number): Pte {
    return pteFromWord(this.coordinator.mm.pageTable.get(page));
  }

  /** `ram`, `vram0`, ..., or `none` and the like for entries without a page. */
  placeOf(page: number): string {
    const pte = this.pte(page);
    const kind = pteKind(pte);
    if (kind !== PteKind.Present && kind !== PteKind.DevicePrivate) return formatPte(pte);
    if (ptePfn(pte) === this.coordinator.kernel.zeroPage) return 'zero';
    return this.memory.layout.zoneOf(ptePfn(pte)).name;
  }

  /** Places of consecutive pages, consecutive equal ones once. */
  placesOf(start: number, npages: number): string[] {
    const places = Array.from({ length: npages }, (_, i) => this.placeOf(start + i));
    return places.filter((place, i) => place !== places[i - 1]);
  }

  gpuPte(device: number, page: number): GpuPte {
    return this.devices[device].gpu.pageTable.read(vpn(page));
  }

  rangeAt(page: number, vm = 0): DriverRange | null {
    const range = this.coordinator.vms[vm].gpusvm.findRange(vpn(page));
    assert(range === null || range instanceof DriverRange, 'a range of another driver');
    return range;
  }

  /** Everything that must hold while nothing runs. */
  checkAtRest(): void {
    const { kernel, mm, zdds, arrays } = this.coordinator;
    const { mappings, migrationEntries } = census(kernel, mm);
    assert(migrationEntries === 0, () => `${migrationEntries} migration entries at rest`);
    assert(arrays.lent === 0, () => `${arrays.lent} page arrays are lent`);
    assert(
      mm.notifiers.activeInvalidations === 0 && mm.notifiers.invalidateSeq % 2 === 0,
      'invalidation at rest',
    );
    assert(!mm.mmapLock.isLocked, 'mmap_lock is held at rest');
    this.checkFolios(mappings);
    forEachPte(mm, (page, pte) => this.checkCpuEntry(page, pte));
    this.devices.forEach((_, device) => {
      this.checkDevice(device);
    });
    const zddRefs = new Map<number, number>();
    for (const [pfn] of mappings) {
      const id = this.folios.zoneData(pfn);
      if (id !== 0) zddRefs.set(id, (zddRefs.get(id) ?? 0) + 1);
    }
    for (const zdd of zdds) {
      assert(
        zdd.refs === zddRefs.get(zdd.id),
        () => `zdd ${zdd.id} has ${zdd.refs} references, pages ${zddRefs.get(zdd.id)}`,
      );
      assert(zdd.devmem !== null && !zdd.devmem.released, 'a zdd without live memory');
    }
    assert(zdds.live === zddRefs.size, 'pages refer to zdds that do not exist');
  }

  /** What was unmapped from the first mirror waits for a fault, or for the function that this gives: until then its worker does nothing. */
  holdCollector(): () => void {
    const { collector } = this.coordinator.vms[0];
    const work = collector.work.bind(collector);
    const { executor } = this;
    let mayWork = false;
    collector.work = function* () {
      while (!mayWork) yield* executor.sleep(1);
      yield* work();
    };
    return () => {
      mayWork = true;
    };
  }

  /** Ends the mirrors and the address space; afterwards nothing is in use. */
  tearDown(): void {
    this.run(this.coordinator.tearDown());
    const { kernel, zdds, gpus, mm } = this.coordinator;
    assert(zdds.live === 0, 'a zdd outlives everything');
    assert(kernel.ram.usedPages === 1, () => `${kernel.ram.usedPages - 1} pages of RAM are lost`);
    assert(mm.count === 0, () => `mm_count is ${mm.count}`);
    gpus.forEach((gpu, device) => {
      const { vram, pageTable, mmu } = this.devices[device].gpu;
      assert(gpu.iommu.live === 0, () => `gpu${device} keeps ${gpu.iommu.live} DMA mappings`);
      assert(vram.usedPages === 0, () => `gpu${device} loses ${vram.usedPages} pages`);
      assert(pageTable.entries === 0, () => `gpu${device} keeps ${pageTable.entries} entries`);
      assert(mmu.iommuFaults.length === 0, 'IOMMU fault');
      assert(
        (gpu.dpagemap?.references ?? 1) === 1,
        () => `pagemap of gpu${device} has ${gpu.dpagemap?.references} references`,
      );
      assert(gpu.allocations.size === 0, 'an allocation outlives everything');
      const holds = gpu.dpagemap === null ? 0 : 2;
      assert(gpu.life.references === holds, () => `${gpu.life.name} has ${gpu.life.references} references`);
    });
  }

  private connect(other: number): { host: Port; other: Port } {
    const capacity = this.options.ringCapacity ?? 64;
    const ring = (): Ring => new Ring(new SharedArrayBuffer(Ring.bytesFor(capacity)), 0, capacity);
    const down = ring();
    const up = ring();
    const [hostId, otherId] = [actorId(0), actorId(1 + other)];
    const host = new Port(this.executor, hostId, otherId, `actor ${otherId}`, down, up);
    const far = new Port(this.executor, otherId, hostId, 'the coordinator', up, down);
    host.onSend = this.executor.pump(far, `the coordinator to actor ${otherId}`);
    far.onSend = this.executor.pump(host, `actor ${otherId} to the coordinator`);
    return { host, other: far };
  }

  private makeDevice(
    index: number,
    deviceCount: number,
    vramPages: number,
    iommu: Iommu,
    port: Port,
  ): DeviceActor {
    const { options } = this;
    const link = options.link ?? INSTANT;
    const links = options.interconnect ?? 'peer';
    const peers = Array.from({ length: deviceCount }, (_, other) =>
      other !== index && areLinked(links, index, other) ? link : null,
    );
    const config = {
      ...GPU_DEFAULTS,
      tlbEntries: 64,
      contexts: 2,
      systemAtomics: options.systemAtomics ?? 'none',
      index,
      vramPages,
      links: { hostToDevice: link, deviceToHost: link, local: link, peers },
      costs: options.gpuCosts ?? NO_GPU_COSTS,
    };
    const world = {
      sched: this.executor,
      actor: actorId(1 + index),
      memory: this.memory,
      tables: TableArena.allocate(options.gpuTables ?? TABLES),
      arrays: this.arrays,
      iommu,
    };
    return new DeviceActor(config, world, port, () => {
      throw new Error('no kernels here');
    });
  }

  private checkFolios(mappings: ReadonlyMap<Pfn, number>): void {
    const { folios } = this;
    const { zeroPage } = this.coordinator.kernel;
    for (const zone of this.memory.layout.zones) {
      for (let i = 0; i < zone.pages; i++) {
        const pfn = pfnOf(zone.firstPfn + i);
        const expected = pfn === zeroPage ? 1 : (mappings.get(pfn) ?? 0);
        const maps = pfn === zeroPage ? 0 : expected;
        const holds =
          folios.refcount(pfn) === expected && folios.mapcount(pfn) === maps && !folios.isLocked(pfn);
        assert(holds, () => `${folios.describe(pfn)} has ${expected} entries`);
      }
    }
  }

  private checkCpuEntry(page: Vpn, pte: Pte): void {
    const { mm, kernel } = this.coordinator;
    const vma = mm.vmas.find(page);
    assert(vma !== null, () => `${formatVpn(page)} is populated but not mapped`);
    const pfn = ptePfn(pte);
    if (pfn === kernel.zeroPage) return;
    const found =
      this.folios.mapping(pfn) === vma.anonVma?.id && this.folios.index(pfn) === vma.indexOf(page);
    assert(found, () => `${formatVpn(page)}: the reverse map does not lead back`);
  }

  /** No translation leads elsewhere than the CPU's, and DMA mappings are those of live pages objects. */
  private checkDevice(device: number): void {
    const { gpu } = this.devices[device];
    const check = (what: string) => (page: Vpn, pte: GpuPte) => {
      const target = gpuPtePage(pte);
      const system = gpuPteProto(pte) === DmaProto.System;
      const handle = this.coordinator.gpus[device];
      const pfn = system ? handle.iommu.iommu.translate(target, gpuPteIsWritable(pte)) : target;
      const cpu = this.pte(page);
      assert(
        ptePfn(cpu) === pfn,
        () => `gpu${device} ${what} ${formatVpn(page)}: ${formatGpuPte(pte)}, CPU ${formatPte(cpu)}`,
      );
      const kind = system ? PteKind.Present : PteKind.DevicePrivate;
      assert(
        pteKind(cpu) === kind,
        () => `gpu${device} ${what} ${formatVpn(page)}: ${formatGpuPte(pte)}, CPU ${formatPte(cpu)}`,
      );
      const vma = this.coordinator.mm.vmas.find(page);
      assert(
        vma !== null && (vma.isWritable || !gpuPteIsWritable(pte)),
        () => `gpu${device} may store to ${formatVpn(page)}`,
      );
    };
    gpu.pageTable.forEach(check('page table'));
    gpu.tlb.forEach(check('TLB'));
    assert(gpu.mmu.iommuFaults.length === 0, 'IOMMU fault');
    assert(gpu.copyEngine.pending === 0, 'copies at rest');
    const { live } = this.coordinator.gpus[device].iommu;
    const held = this.dmaMappingsOf(device);
    assert(live === held, () => `gpu${device}: ${live} DMA mappings, pages objects hold ${held}`);
    const used = [...this.coordinator.gpus[device].allocations].reduce(
      (sum, devmem) => sum + devmem.npages,
      0,
    );
    assert(
      gpu.vram.usedPages === used,
      () => `gpu${device}: ${gpu.vram.usedPages} pages used, allocations ${used}`,
    );
  }

  private dmaMappingsOf(device: number): number {
    let held = 0;
    for (const vm of this.coordinator.vms) {
      for (const range of vm.gpusvm.allRanges()) {
        assert(range instanceof DriverRange, 'a range of another driver');
        const part = range.parts.find(({ gpu }) => gpu.index === device);
        if (part?.pages.dmaAddrs == null) continue;
        for (let i = 0; i < range.npages; i++) {
          if (dmaProto(dmaAddrAt(part.pages.dmaAddrs, i)) === DmaProto.System) held++;
        }
      }
    }
    return held;
  }
}

function* keep<T>(body: Steps<T>, results: T[], at: number): Steps<void> {
  results[at] = yield* body;
}

/** Stores `value` in a word of a page; OK or the errno of an illegal access. */
export function* store(port: AccessPort, page: number, value: number, word = 0): Steps<Errno> {
  const base = yield* holdPage(port, vpn(page), true);
  if (base < 0) return base as Errno;
  Atomics.store(port.memory.words, base + word, value);
  port.release();
  return 0;
}

/** The word, or the negative errno of an illegal access: tests store positive values. */
export function* load(port: AccessPort, page: number, word = 0): Steps<number> {
  const base = yield* holdPage(port, vpn(page), false);
  if (base < 0) return base;
  const value = Atomics.load(port.memory.words, base + word);
  port.release();
  return value;
}

/** Adds 1 to a word in one atomic section; OK or the errno of an illegal access. */
export function* increment(port: AccessPort, page: number, word: number): Steps<Errno> {
  const base = yield* holdPage(port, vpn(page), true);
  if (base < 0) return base as Errno;
  Atomics.add(port.memory.words, base + word, 1);
  port.release();
  return 0;
}

/** Word 0 of page i becomes `first + i`, and its last word the negative of that. */
export function* fill(port: AccessPort, start: number, npages: number, first: number): Steps<Errno> {
  for (let i = 0; i < npages; i++) {
    for (const [word, value] of pattern(first + i)) {
      const errno = yield* store(port, start + i, value, word);
      if (errno !== 0) return errno;
    }
  }
  return 0;
}

/** The first page that does not hold what {@link fill} left there, as `page: found`; null when all do. */
export function* findDifference(
  port: AccessPort,
  start: number,
  npages: number,
  first: number,
): Steps<string | null> {
  for (let i = 0; i < npages; i++) {
    for (const [word, value] of pattern(first + i)) {
      const found = yield* load(port, start + i, word);
      if (found !== value) return `page ${start + i} word ${word}: ${found}, not ${value}`;
    }
  }
  return null;
}

function pattern(value: number): [number, number][] {
  return [
    [0, value],
    [1023, 1_000_000 + value],
  ];
}
