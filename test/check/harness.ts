/** A small machine of all actors under the virtual executor, with programs that access memory and a record of what they stored. */

import { COORDINATOR, Coordinator, type CoordinatorConfig } from '../../src/actors/coordinator.js';
import { CpuThread } from '../../src/actors/cpuThread.js';
import { DeviceActor } from '../../src/actors/deviceActor.js';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PAGE_WORDS, type Vpn, vpn } from '../../src/base/units.js';
import type { CheckResult } from '../../src/check/checkResult.js';
import { verify, verifyTornDown } from '../../src/check/verify.js';
import {
  GPU_DEFAULTS,
  type GpuConfig,
  NO_GPU_COSTS,
  type SystemAtomics,
} from '../../src/device/gpuConfig.js';
import type { GpuSnapshot } from '../../src/device/gpuSnapshot.js';
import type { LinkSpec } from '../../src/device/interconnect.js';
import { Iommu } from '../../src/device/iommu.js';
import { migrateToFaulting, type PlacementPolicy } from '../../src/driver/placement.js';
import { AccessBracket } from '../../src/memory/accessBracket.js';
import { type AccessPort, holdPage } from '../../src/memory/accessPort.js';
import { FolioTable } from '../../src/memory/folios.js';
import { PageArrays } from '../../src/memory/pageArrays.js';
import { type Pfn, pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import { TableArena } from '../../src/memory/radixTable.js';
import { ZoneKind } from '../../src/memory/zone.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { forEachPte } from '../../src/mm/mmCensus.js';
import { type Pte, pteFromWord, ptePfn } from '../../src/mm/table/pte.js';
import { ObserverBuffers } from '../../src/observe/actorObserver.js';
import { LastEvents } from '../../src/observe/lastEvents.js';
import { Observation } from '../../src/observe/observation.js';
import { RunObserver } from '../../src/observe/runObserver.js';
import { Port } from '../../src/sim/port.js';
import { Ring } from '../../src/sim/ring.js';
import type { Steps } from '../../src/sim/steps.js';
import { type ActorId, actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import type { Expectation } from '../../src/workload/workload.js';

const RING_CAPACITY = 64;
const LINK: LinkSpec = { bandwidthBytesPerNs: 16, latencyNs: 100 };

/** Where programs map their memory unless they say otherwise; aligned to every chunk size. */
export const BUFFER = vpn(0x4_0000_0000);

export interface MachineOptions {
  readonly devices?: number;
  readonly cpus?: number;
  readonly layout?: 'n1' | 'one-to-one';
  readonly interconnect?: 'peer' | 'none';
  readonly policy?: PlacementPolicy;
  readonly ramPages?: number;
  readonly vramPages?: number;
  readonly chunkPages?: readonly number[];
  readonly notifierPages?: number;
  readonly timesliceNs?: number;
  readonly systemAtomics?: SystemAtomics;
  readonly seed?: number;
}

export class TestMachine {
  readonly sched: VirtualExecutor;
  readonly layout: PhysicalLayout;
  readonly memory: PhysicalMemory;
  readonly coordinator: Coordinator;
  readonly devices: readonly DeviceActor[];
  readonly cpus: readonly CpuThread[];
  readonly observers: ObserverBuffers;
  readonly events: LastEvents;
  readonly observation: Observation;
  /** What {@link store} last wrote to each page; pages that were stored to and unmapped again are forgotten by {@link forget}. */
  readonly stored = new Map<Vpn, number>();
  private readonly names: readonly string[];

  constructor(readonly options: MachineOptions = {}) {
    const { devices = 2, cpus = 1, seed = 1, ramPages = 256, vramPages = 64 } = options;
    this.sched = new VirtualExecutor(new RandomStrategy(seed));
    const vram = Array.from({ length: devices }, () => ({ pages: vramPages, kind: ZoneKind.DevicePrivate }));
    this.layout = new PhysicalLayout({ ramPages, vram });
    this.memory = PhysicalMemory.allocate(this.layout);
    this.names = [
      'coordinator',
      ...Array.from({ length: devices }, (_, i) => `gpu${i}`),
      ...Array.from({ length: cpus }, (_, i) => `cpu${i}`),
    ];
    this.observers = ObserverBuffers.allocate(this.names.length);
    this.sched.observer = new RunObserver(this.observers, this.sched);
    this.events = new LastEvents(this.observers, this.names, 'simulated');
    this.observation = new Observation(this.observers);
    const built = this.build(devices, cpus);
    this.coordinator = built.coordinator;
    this.devices = built.devices;
    this.cpus = built.cpus;
  }

  /** Runs until nothing can go on; every task that is no daemon must then have ended. */
  settle(): void {
    const end = this.sched.run(undefined, 5_000_000);
    if (this.sched.failure !== null) throw this.sched.failure;
    assert(end === 'idle', () => `the machine does not come to rest: ${end}`);
    const stuck = this.sched
      .stuckTasks()
      .map((task) => `${task.name}: ${task.waitingFor?.describeWait(task)}`);
    assert(stuck.length === 0, () => `stuck: ${stuck.join('; ')}`);
  }

  /** Runs programs side by side until all have ended, and returns what they returned. */
  run<T>(...programs: readonly Steps<T>[]): T[] {
    const results: T[] = [];
    const ended = new Set<number>();
    programs.forEach((program, i) => {
      this.sched.spawn(this.cpuActor(0), `program${i}`, keep(program, results, ended, i));
    });
    this.settle();
    assert(ended.size === programs.length, 'a program did not end');
    return results;
  }

  /** A context of a GPU on which no kernel runs. */
  gpu(device: number): AccessPort {
    return this.devices[device].gpu.createContext(0, 1);
  }

  /** Maps anonymous memory that may be read and written. */
  *map(npages: number, start: Vpn = BUFFER): Steps<Vpn> {
    const page = yield* this.cpus[0].mmap(start, npages, Prot.Read | Prot.Write, MapFlag.Fixed);
    assert(page === start, () => `mmap returned ${page}`);
    return start;
  }

  /** Stores `value + i` to the first word of the i-th page, and the page number to the last one. */
  *store(port: AccessPort, start: Vpn, npages: number, value: number): Steps<void> {
    for (let i = 0; i < npages; i++) {
      const page = vpn(start + i);
      const base = yield* holdPage(port, page, true);
      assert(base >= 0, () => `a store ends with ${base}`);
      port.memory.words[base] = value + i;
      port.memory.words[base + PAGE_WORDS - 1] = page & 0xffff;
      port.release();
      this.stored.set(page, value + i);
    }
  }

  /** Reads pages and asserts that they hold what was stored there. */
  *load(port: AccessPort, start: Vpn, npages: number): Steps<void> {
    for (let i = 0; i < npages; i++) {
      const page = vpn(start + i);
      const base = yield* holdPage(port, page, false);
      assert(base >= 0, () => `a load ends with ${base}`);
      const seen = port.memory.words[base];
      port.release();
      assert(seen === (this.stored.get(page) ?? 0), () => `read ${seen}, stored ${this.stored.get(page)}`);
    }
  }

  *unmap(start: Vpn, npages: number): Steps<void> {
    const errno = yield* this.cpus[0].munmap(start, npages);
    assert(errno === Errno.OK, 'munmap failed');
    this.forget(start, npages);
  }

  forget(start: Vpn, npages: number): void {
    for (let i = 0; i < npages; i++) this.stored.delete(vpn(start + i));
  }

  snapshots(): GpuSnapshot[] {
    return this.devices.map((device) => device.gpu.snapshot());
  }

  /** That each page holds what was stored to it; pages around the buffer are covered too, and must be empty. */
  expectation(start: Vpn = BUFFER, npages = 512): Expectation {
    return { start, npages, check: (page, words) => this.checkPage(page, words) };
  }

  /** All rules, with what the test changes of their input. */
  verify(input: Partial<Parameters<typeof verify>[0]> = {}): CheckResult[] {
    return verify({
      coordinator: this.coordinator,
      devices: this.snapshots(),
      expectations: [this.expectation()],
      lastEvents: (what) => this.events.touching(what),
      ...input,
    });
  }

  tearDown(): CheckResult[] {
    this.sched.spawn(COORDINATOR, 'tear down', this.coordinator.tearDown());
    this.settle();
    return this.tornDown();
  }

  /** The rules for what is left. */
  tornDown(devices: readonly GpuSnapshot[] = this.snapshots()): CheckResult[] {
    return verifyTornDown(this.coordinator, devices, (what) => this.events.touching(what));
  }

  /** One field of all folios, by pfn, to be corrupted; the order is that of the folio table's buffer. */
  folioField(name: 'refs' | 'maps' | 'flags' | 'mappings' | 'zoneDatas' | 'lockOwners'): Int32Array {
    const pages = this.layout.totalPages;
    const at = ['refs', 'maps', 'flags', 'mappings', 'zoneDatas', 'lockOwners'].indexOf(name);
    return new Int32Array(this.coordinator.kernel.folios.buffer, pages * (8 + 4 * at), pages);
  }

  /** A frame of a zone that nobody uses: the last one, since allocation begins with the first. */
  freePfn(zoneId: number): Pfn {
    const zone = this.layout.zones[zoneId];
    return pfn(zone.firstPfn + zone.pages - 1);
  }

  /** Slot of a page in the CPU page table. */
  slot(page: Vpn): number {
    const slot = this.coordinator.mm.pageTable.slot(page);
    assert(slot >= 0, 'no page table there');
    return slot;
  }

  pte(page: Vpn): Pte {
    return pteFromWord(this.coordinator.mm.pageTable.read(this.slot(page)));
  }

  setPte(page: Vpn, pte: Pte): void {
    this.coordinator.mm.pageTable.write(this.slot(page), pte);
  }

  /** All entries of the CPU page table that are not empty. */
  entries(): { page: Vpn; pte: Pte }[] {
    const found: { page: Vpn; pte: Pte }[] = [];
    forEachPte(this.coordinator.mm, (page, pte) => found.push({ page, pte }));
    return found;
  }

  pfn(page: Vpn): Pfn {
    return ptePfn(this.pte(page));
  }

  private checkPage(page: Vpn, words: Int32Array | null): string | null {
    const expected = this.stored.get(page);
    if (expected === undefined) return words === null ? null : 'holds a page, but nothing was stored';
    if (words === null) return `holds no page, but ${expected} was stored`;
    if (words[0] !== expected) return `holds ${words[0]} instead of ${expected}`;
    return words[PAGE_WORDS - 1] === (page & 0xffff) ? null : 'its last word is wrong';
  }

  private cpuActor(cpu: number): ActorId {
    return actorId(1 + (this.options.devices ?? 2) + cpu);
  }

  private build(
    deviceCount: number,
    cpuCount: number,
  ): Pick<TestMachine, 'coordinator' | 'devices' | 'cpus'> {
    const { sched, memory, layout } = this;
    const arrays = PageArrays.allocate(64);
    const ports = this.names.slice(1).map((_, i) => this.connect(actorId(i + 1)));
    const iommus = Array.from({ length: deviceCount }, () =>
      Iommu.allocate(2 * layout.ram.pages, layout.totalPages),
    );
    const brackets = new SharedArrayBuffer(AccessBracket.bytesFor(cpuCount));
    const tables = TableArena.allocate(256);
    const world = {
      sched,
      memory,
      folios: FolioTable.allocate(layout),
      tables,
      brackets: Array.from({ length: cpuCount }, (_, i) => new AccessBracket(brackets, i)),
      arrays,
      iommus,
      policy: this.options.policy ?? migrateToFaulting(false),
    };
    const hostPorts = ports.map((port) => port.host);
    const coordinator = new Coordinator(
      this.coordinatorConfig(),
      world,
      hostPorts.slice(0, deviceCount),
      hostPorts.slice(deviceCount),
    );
    const devices = iommus.map(
      (iommu, i) =>
        new DeviceActor(
          this.gpuConfig(i, deviceCount),
          { sched, actor: actorId(1 + i), memory, tables: TableArena.allocate(256), arrays, iommu },
          ports[i].actor,
          () => () => nothing(),
        ),
    );
    const cpus = Array.from({ length: cpuCount }, (_, i) => {
      const cpuWorld = {
        sched,
        actor: this.cpuActor(i),
        memory,
        tableWords: tables.words,
        tableRoot: coordinator.mm.pageTable.root,
        bracket: new AccessBracket(brackets, i),
        accessNs: 0,
      };
      return new CpuThread(i, cpuWorld, ports[deviceCount + i].actor);
    });
    return { coordinator, devices, cpus };
  }

  private coordinatorConfig(): CoordinatorConfig {
    const { options } = this;
    return {
      layout: options.layout ?? 'n1',
      interconnect: options.interconnect ?? 'peer',
      chunkPages: options.chunkPages ?? [16, 4, 1],
      notifierPages: options.notifierPages ?? 512,
      timesliceNs: options.timesliceNs ?? 0,
      checkPagesThreshold: 0,
      systemAtomics: options.systemAtomics ?? 'none',
      pagesPerStep: 4,
      costs: { cpuFaultNs: 500, migratePageNs: 100, hmmPageNs: 20, tlbShootdownNs: 300, syscallNs: 200 },
    };
  }

  private gpuConfig(index: number, deviceCount: number): GpuConfig {
    const peer = (this.options.interconnect ?? 'peer') === 'peer' ? LINK : null;
    const peers = Array.from({ length: deviceCount }, (_, i) => (i === index ? null : peer));
    return {
      ...GPU_DEFAULTS,
      index,
      vramPages: this.options.vramPages ?? 64,
      tlbEntries: 32,
      systemAtomics: this.options.systemAtomics ?? 'none',
      links: { hostToDevice: LINK, deviceToHost: LINK, local: LINK, peers },
      costs: { ...NO_GPU_COSTS, faultBatchNs: 1000, tlbInvalidateNs: 400 },
    };
  }

  /** The two ends between the Coordinator and an actor. */
  private connect(actor: ActorId): { host: Port; actor: Port } {
    const { sched, names } = this;
    const bytes = Ring.bytesFor(RING_CAPACITY);
    const buffer = new SharedArrayBuffer(2 * bytes);
    const down = new Ring(buffer, 0, RING_CAPACITY);
    const up = new Ring(buffer, bytes, RING_CAPACITY);
    const host = new Port(sched, COORDINATOR, actor, names[actor], down, up);
    const end = new Port(sched, actor, COORDINATOR, names[COORDINATOR], up, down);
    const wakeHost = sched.pump(host, names[actor]);
    const wakeActor = sched.pump(end, `the coordinator at ${names[actor]}`);
    // A sender with a backlog must flush it itself, so both sides look again.
    host.onSend = () => {
      wakeActor();
      wakeHost();
    };
    end.onSend = () => {
      wakeHost();
      wakeActor();
    };
    return { host, actor: end };
  }
}

function* nothing(): Steps<Errno> {
  return Errno.OK;
}

function* keep<T>(program: Steps<T>, results: T[], ended: Set<number>, i: number): Steps<void> {
  results[i] = yield* program;
  ended.add(i);
}

/** The rule with this name. */
export function rule(results: readonly CheckResult[], name: string): CheckResult {
  const found = results.find((result) => result.name === name);
  assert(
    found !== undefined,
    () => `no rule ${name} among ${results.map((result) => result.name).join(', ')}`,
  );
  return found;
}

export function failed(results: readonly CheckResult[]): string[] {
  return results.filter((result) => !result.ok).map((result) => result.name);
}
