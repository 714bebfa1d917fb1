/** Small GPUs under the virtual executor, for the tests of this room. */

import type { Errno } from '../../src/base/errno.js';
import type { Vpn } from '../../src/base/units.js';
import type { FaultSink } from '../../src/device/faultSink.js';
import { Gpu } from '../../src/device/gpu.js';
import { GPU_DEFAULTS, type GpuConfig, NO_GPU_COSTS } from '../../src/device/gpuConfig.js';
import type { DeviceLinks, LinkSpec } from '../../src/device/interconnect.js';
import { Iommu } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import { type DmaAddr, DmaDir, DmaProto, dmaAddr } from '../../src/memory/dmaAddr.js';
import { type PageArrayId, PageArrays } from '../../src/memory/pageArrays.js';
import { type Pfn, pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import { TableArena } from '../../src/memory/radixTable.js';
import { ZoneKind } from '../../src/memory/zone.js';
import { Gate } from '../../src/sim/gate.js';
import type { StepObserver } from '../../src/sim/scheduler.js';
import { type StepId, type Steps, stepDefinition } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';

export const ACTOR = actorId(1);

const fastLink: LinkSpec = { bandwidthBytesPerNs: 1, latencyNs: 0 };

export function linksOf(devices: number, spec: LinkSpec = fastLink): DeviceLinks {
  return {
    hostToDevice: spec,
    deviceToHost: spec,
    local: spec,
    peers: Array.from({ length: devices }, () => spec),
  };
}

/** Where RAM and the VRAM of two devices lie: frames 512.., 1024.., 1536.. when they have up to 512 pages each. */
export function makeMemory(ramPages: number, vramPages: number, devices = 2): PhysicalMemory {
  const vram = Array.from({ length: devices }, () => ({ pages: vramPages, kind: ZoneKind.DevicePrivate }));
  return PhysicalMemory.allocate(new PhysicalLayout({ ramPages, vram }));
}

export function executor(seed = 1): VirtualExecutor {
  const strategy = new RandomStrategy(seed);
  strategy.newExecution();
  return new VirtualExecutor(strategy);
}

/** Runs until nothing can run any more; what failed is thrown, what is stuck is reported. */
export function settle(sched: VirtualExecutor): void {
  sched.run();
  if (sched.failure !== null) throw sched.failure.cause;
  const stuck = sched
    .stuckTasks()
    .map((task) => `${task.name} waits for ${task.waitingFor?.describeWait(task)}`);
  if (stuck.length > 0) throw new Error(stuck.join('; '));
}

/** Runs one protocol function as a task, to its end, with all that it sets off. */
export function finish<T>(sched: VirtualExecutor, steps: Steps<T>): T {
  const results: T[] = [];
  sched.spawn(ACTOR, 'test', collect(steps, results));
  settle(sched);
  return results[0];
}

function* collect<T>(steps: Steps<T>, into: T[]): Steps<void> {
  into.push(yield* steps);
}

/** Keeps the named steps that a test asks for, as `name a b c d`. */
export class StepLog implements StepObserver {
  readonly lines: string[] = [];

  constructor(private readonly prefix: string) {}

  onStep(_task: unknown, step: StepId, a: number, b: number, c: number, d: number): void {
    const { name, fields } = stepDefinition(step);
    if (name.startsWith(this.prefix)) {
      this.lines.push([name.slice(this.prefix.length), ...[a, b, c, d].slice(0, fields.length)].join(' '));
    }
  }
}

export function systemAddr(iova: number, dir: DmaDir = DmaDir.Bidirectional): DmaAddr {
  return dmaAddr(DmaProto.System, iova, dir);
}

export function vramAddr(page: number, order = 0): DmaAddr {
  return dmaAddr(DmaProto.Vram, page, DmaDir.Bidirectional, order);
}

export function peerAddr(page: number): DmaAddr {
  return dmaAddr(DmaProto.Peer, page, DmaDir.Bidirectional);
}

/** A sink that tests change as they go. */
export class TestSink implements FaultSink {
  handler: (page: Vpn, write: boolean) => Steps<Errno>;

  constructor(handler: (page: Vpn, write: boolean) => Steps<Errno>) {
    this.handler = handler;
  }

  serve(page: Vpn, write: boolean): Steps<Errno> {
    return this.handler(page, write);
  }
}

/** Device 0 of two, with all that it is given. */
export class TestGpu {
  readonly sched: VirtualExecutor;
  readonly memory: PhysicalMemory;
  readonly arrays = PageArrays.allocate(4);
  readonly iommu = Iommu.allocate(600, 4096);
  readonly mapper = new IommuMapper(this.iommu, 0);
  readonly gate: Gate;
  readonly sink = new TestSink(function* () {
    throw new Error('a fault that the test does not expect');
  });
  readonly gpu: Gpu;

  constructor(seed = 1, config: Partial<GpuConfig> = {}, tables = 32) {
    this.sched = executor(seed);
    this.memory = makeMemory(512, 512);
    this.gate = new Gate(this.sched, 'the run to go on');
    const full: GpuConfig = {
      index: 0,
      vramPages: 512,
      ...GPU_DEFAULTS,
      links: linksOf(2),
      costs: NO_GPU_COSTS,
      ...config,
    };
    this.gpu = new Gpu(full, {
      sched: this.sched,
      actor: ACTOR,
      memory: this.memory,
      tables: TableArena.allocate(tables),
      arrays: this.arrays,
      iommu: this.iommu,
      sink: this.sink,
      gate: this.gate,
    });
  }

  array(id: number): PageArrayId {
    return id as PageArrayId;
  }

  /** Writes addresses to an array and names it. */
  addrs(id: number, addrs: readonly number[]): PageArrayId {
    this.arrays.view(this.array(id)).fill(0).set(addrs);
    return this.array(id);
  }

  /** Frame `i` of RAM. */
  ram(i: number): Pfn {
    return pfn(this.memory.layout.ram.firstPfn + i);
  }

  /** Frame `i` of the VRAM of a device. */
  vramPfn(device: number, i: number): Pfn {
    return pfn(this.memory.layout.vramOf(device).firstPfn + i);
  }

  /** Frame `i` of the VRAM of another device. */
  mapPeer(device: number, i: number, dir: DmaDir = DmaDir.Bidirectional): DmaAddr {
    const frame = this.vramPfn(device, i);
    this.iommu.peers.map(frame, 1, dir);
    return peerAddr(frame);
  }

  mapRam(i: number, dir: DmaDir = DmaDir.Bidirectional): DmaAddr {
    return systemAddr(this.mapper.map(this.ram(i), dir), dir);
  }
}
