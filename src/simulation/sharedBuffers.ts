/** All memory that the actors of one run share: allocated once by the main thread, opened by each worker. */

import { Iommu } from '../device/iommu.js';
import { AccessBracket } from '../memory/accessBracket.js';
import { FolioTable } from '../memory/folios.js';
import { PageArrays } from '../memory/pageArrays.js';
import { PhysicalLayout, type PhysicalLayoutSpec } from '../memory/physicalLayout.js';
import { PhysicalMemory } from '../memory/physicalMemory.js';
import { TableArena } from '../memory/radixTable.js';
import { ZoneKind } from '../memory/zone.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { Ring } from '../sim/ring.js';
import { Doorbell } from '../sim/threads/doorbell.js';
import { GhostBoard } from '../workload/ghostBoard.js';
import type { SimulationConfig } from './simulationConfig.js';

/** Page-table pages per table arena; each is 2 KiB and costs memory only once it is used. */
const TABLES_PER_ARENA = 1 << 15;
/** Messages that one ring holds. */
const RING_CAPACITY = 1024;
const PAGE_ARRAYS = 2048;

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
}

export function layoutSpec(config: SimulationConfig): PhysicalLayoutSpec {
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
  const perDevice = <T>(make: () => T): T[] => Array.from({ length: config.deviceCount }, make);
  return {
    layout: spec,
    memory: PhysicalMemory.allocate(layout).buffer,
    folios: FolioTable.allocate(layout).buffer,
    cpuTables: TableArena.allocate(TABLES_PER_ARENA).buffer,
    gpuTables: perDevice(() => TableArena.allocate(TABLES_PER_ARENA).buffer),
    iommus: perDevice(() => Iommu.allocate(2 * config.ramPages).buffer),
    arrays: PageArrays.allocate(PAGE_ARRAYS).buffer,
    brackets: new SharedArrayBuffer(AccessBracket.bytesFor(Math.max(1, config.workloads.length))),
    rings: new SharedArrayBuffer(2 * actors * Ring.bytesFor(RING_CAPACITY)),
    doorbells: new SharedArrayBuffer(Doorbell.bytesFor(actors)),
    observer: new SharedArrayBuffer(ObserverBuffers.bytesFor(actors)),
    board: new SharedArrayBuffer(GhostBoard.bytesFor(config.workloads)),
  };
}

/** The ring in which an actor other than the Coordinator sends (`toCoordinator`) or receives. */
export function openRing(buffers: SharedBuffers, actor: number, toCoordinator: boolean): Ring {
  const bytes = Ring.bytesFor(RING_CAPACITY);
  return new Ring(buffers.rings, (2 * actor + (toCoordinator ? 0 : 1)) * bytes, RING_CAPACITY);
}

export function openMemory(buffers: SharedBuffers): PhysicalMemory {
  return new PhysicalMemory(buffers.memory, new PhysicalLayout(buffers.layout));
}
