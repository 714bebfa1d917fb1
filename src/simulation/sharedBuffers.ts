/** All memory that the actors of one run share: allocated once by the main thread, opened by each worker. */

import { Iommu } from '../device/iommu.js';
import { AccessBracket } from '../memory/accessBracket.js';
import { CallPayload } from '../memory/callPayload.js';
import { FolioTable } from '../memory/folios.js';
import { PageArrays } from '../memory/pageArrays.js';
import { PhysicalLayout, type PhysicalLayoutSpec } from '../memory/physicalLayout.js';
import { PhysicalMemory } from '../memory/physicalMemory.js';
import { TableArena } from '../memory/radixTable.js';
import { ZoneKind } from '../memory/zone.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { TraceRing } from '../observe/trace/traceRing.js';
import { Ring } from '../sim/ring.js';
import { Doorbell } from '../sim/threads/doorbell.js';
import { GhostBoard } from '../workload/ghostBoard.js';
import type { WorkloadConfig } from '../workload/workloadConfig.js';
import { SharedViews } from './sharedViews.js';
import type { MachineSpec, SimulationConfig } from './simulationConfig.js';

type Sizes = Pick<MachineSpec, 'tables' | 'pageArrays' | 'ringMessages' | 'payloadBytes'>;

const LOAD_PAYLOAD_BYTES = 64;

/** Page-table pages are 2 KiB and cost memory only once they are used. */
const LARGE: Sizes = { tables: 1 << 15, pageArrays: 2048, ringMessages: 1024, payloadBytes: 0 };

const PROGRAM_PAYLOAD_BYTES = 1 << 16;

/** Plain data: it crosses to the workers as it is. */
export interface SharedBuffers {
  readonly layout: PhysicalLayoutSpec;
  readonly memory: SharedArrayBuffer;
  readonly folios: SharedArrayBuffer;
  readonly cpuTables: SharedArrayBuffer;
  readonly gpuTables: readonly SharedArrayBuffer[];
  readonly iommus: readonly SharedArrayBuffer[];
  readonly arrays: SharedArrayBuffer;
  readonly brackets: SharedArrayBuffer;
  /** Two rings for each actor but the Coordinator: to it, and from it. */
  readonly rings: SharedArrayBuffer;
  readonly doorbells: SharedArrayBuffer;
  readonly observer: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  /** A ring per thread that runs actors; empty where nothing is traced. */
  readonly trace: SharedArrayBuffer;
  /** What driver calls hand over, by CPU thread; empty where nobody makes such calls. */
  readonly payloads: SharedArrayBuffer;
}

export function layoutSpec(config: SimulationConfig): PhysicalLayoutSpec {
  if (config.machine !== undefined) return { ramPages: config.ramPages, vram: config.machine.memories };
  const vram = Array.from({ length: config.deviceCount }, () => ({
    pages: config.device.vramPages,
    kind: ZoneKind.DevicePrivate,
  }));
  return { ramPages: config.ramPages, vram };
}

/** Actors in order: the Coordinator, the devices, the CPU threads. */
export function actorCount(config: SimulationConfig): number {
  return 1 + config.deviceCount + config.workloads.length;
}

export function actorNames(config: SimulationConfig): string[] {
  const devices = Array.from({ length: config.deviceCount }, (_, i) => `gpu${i}`);
  const cpus = config.workloads.map((_, i) => `cpu${i}`);
  return ['coordinator', ...devices, ...cpus];
}

export function allocateBuffers(config: SimulationConfig): SharedBuffers {
  const spec = layoutSpec(config);
  const layout = new PhysicalLayout(spec);
  const actors = actorCount(config);
  const { tables, pageArrays, ringMessages, payloadBytes } = sizesOf(config);
  const threads = config.workloads.length;
  const perDevice = <T>(make: () => T): T[] => Array.from({ length: config.deviceCount }, make);
  return {
    layout: spec,
    memory: PhysicalMemory.allocate(layout).buffer,
    folios: FolioTable.allocate(layout).buffer,
    cpuTables: TableArena.allocate(tables).buffer,
    gpuTables: perDevice(() => TableArena.allocate(tables).buffer),
    iommus: perDevice(() => Iommu.allocate(2 * config.ramPages, layout.totalPages).buffer),
    arrays: PageArrays.allocate(pageArrays).buffer,
    brackets: new SharedArrayBuffer(AccessBracket.bytesFor(Math.max(1, threads))),
    rings: new SharedArrayBuffer(2 * actors * Ring.bytesFor(ringMessages)),
    doorbells: new SharedArrayBuffer(Doorbell.bytesFor(actors)),
    observer: new SharedArrayBuffer(ObserverBuffers.bytesFor(actors)),
    trace: new SharedArrayBuffer(traceRingBytes(config)),
    board: new SharedArrayBuffer(GhostBoard.bytesFor(config.workloads)),
    payloads: new SharedArrayBuffer(payloadBytes === 0 ? 0 : threads * CallPayload.bytesFor(payloadBytes)),
  };
}

/** The same for runs whose buffers have the same sizes and the same layout, so that one can have those of the other. */
export function bufferShape(config: SimulationConfig): string {
  const boardBytes = GhostBoard.bytesFor(config.workloads);
  return JSON.stringify([
    layoutSpec(config),
    config.deviceCount,
    actorCount(config),
    sizesOf(config),
    traceRingBytes(config),
    boardBytes,
  ]);
}

/** 0 where nothing is recorded. */
export function traceRingBytes(config: SimulationConfig): number {
  if (config.trace !== true) return 0;
  return TraceRing.bytesFor(config.executor === 'threads' ? actorCount(config) : 1);
}

/** Sizes of what a run is made of. */
function sizesOf({ machine, workloads }: SimulationConfig): Sizes {
  return machine ?? { ...LARGE, payloadBytes: payloadBytesFor(workloads) };
}

/** Programs of users may make driver calls of any kind; loads make those that hand nothing over. */
export function payloadBytesFor(workloads: readonly WorkloadConfig[]): number {
  if (workloads.some(({ kind }) => kind === 'program')) return PROGRAM_PAYLOAD_BYTES;
  return workloads.some(makesDriverCalls) ? LOAD_PAYLOAD_BYTES : 0;
}

function makesDriverCalls(workload: WorkloadConfig): boolean {
  return workload.kind === 'invalidate' && workload.calls.some((call) => call === 'fork' || call === 'evict');
}

/** The ring in which an actor other than the Coordinator sends (`toCoordinator`) or receives. */
export function openRing(
  config: SimulationConfig,
  buffers: SharedBuffers,
  actor: number,
  toCoordinator: boolean,
): Ring {
  return SharedViews.of(buffers).ring(2 * actor + (toCoordinator ? 0 : 1), sizesOf(config).ringMessages);
}

/** Of all CPU threads; none where the run has no payloads. */
export function openPayloads(config: SimulationConfig, buffers: SharedBuffers): CallPayload[] {
  const { payloadBytes } = sizesOf(config);
  if (payloadBytes === 0) return [];
  return config.workloads.map((_, i) => new CallPayload(buffers.payloads, i, payloadBytes));
}

export function openMemory(buffers: SharedBuffers): PhysicalMemory {
  return new PhysicalMemory(buffers.memory, SharedViews.of(buffers).layout);
}
