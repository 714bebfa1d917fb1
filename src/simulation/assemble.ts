/** Builds each actor from the configuration and the shared memory; the executors differ only in who calls this where. */

import { COORDINATOR, Coordinator, type CoordinatorConfig } from '../actors/coordinator.js';
import { CpuThread } from '../actors/cpuThread.js';
import { DeviceActor, type KernelSource } from '../actors/deviceActor.js';
import { GPU_DEFAULTS, type GpuConfig } from '../device/gpuConfig.js';
import type { DeviceLinks, Interconnect } from '../device/interconnect.js';
import { Iommu } from '../device/iommu.js';
import { areLinked } from '../driver/peerLinks.js';
import { migrateToFaulting, type PlacementPolicy, preferDevice, stayInRam } from '../driver/placement.js';
import { type PrefetchPolicy, prefetchAhead } from '../driver/prefetchPolicy.js';
import { leastRecentlyUsed } from '../driver/vram/evictionPolicy.js';
import { AccessBracket } from '../memory/accessBracket.js';
import { BufferViews } from '../memory/bufferViews.js';
import { FolioTable } from '../memory/folios.js';
import { PageArrays } from '../memory/pageArrays.js';
import { TableArena } from '../memory/radixTable.js';
import { ThpMode } from '../mm/kernel.js';
import { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { type ActorId, actorId } from '../sim/task.js';
import { GhostBoard } from '../workload/ghostBoard.js';
import { makeWorkload } from '../workload/makeWorkload.js';
import type { Programs } from '../workload/ownProgram.js';
import { PatientContext } from '../workload/patience.js';
import type { DeviceKernel, Workload } from '../workload/workload.js';
import { devicesLeave } from '../workload/workloadConfig.js';
import type { Extensions } from './extensions.js';
import { guardedDrivers, guardedInvalidation } from './guardedDrivers.js';
import { guardedPolicies } from './guardedPolicies.js';
import { guardedPrograms } from './guardedPrograms.js';
import { openMemory, openPayloads, openRing, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig, ThpName } from './simulationConfig.js';

/** Pages that loops handle between two points where others may run: few where interleavings are looked for, many where speed counts. */
const PAGES_PER_STEP_VIRTUAL = 16;
const PAGES_PER_STEP_THREADS = 256;

export function deviceActorId(device: number): ActorId {
  return actorId(1 + device);
}

export function cpuActorId(config: SimulationConfig, cpu: number): ActorId {
  return actorId(1 + config.deviceCount + cpu);
}

/** The Coordinator's end towards another actor. */
export function coordinatorPort(
  sched: Scheduler,
  config: SimulationConfig,
  buffers: SharedBuffers,
  actor: ActorId,
  name: string,
): Port {
  const out = openRing(config, buffers, actor, false);
  return new Port(sched, COORDINATOR, actor, name, out, openRing(config, buffers, actor, true));
}

/** Another actor's end towards the Coordinator. */
export function actorPort(
  sched: Scheduler,
  config: SimulationConfig,
  buffers: SharedBuffers,
  actor: ActorId,
): Port {
  const out = openRing(config, buffers, actor, true);
  return new Port(sched, actor, COORDINATOR, 'the coordinator', out, openRing(config, buffers, actor, false));
}

/** `programs` are those of the user's own. */
export function buildWorkloads(
  config: SimulationConfig,
  buffers: SharedBuffers,
  programs: Programs = {},
): Workload[] {
  const board = new GhostBoard(buffers.board, config.workloads);
  const world = {
    deviceCount: config.deviceCount,
    contextsPerDevice: config.device.contexts,
    seed: config.seed,
    board,
    payloads: openPayloads(config, buffers),
    programs: guardedPrograms(programs, config),
  };
  return config.workloads.map((workload, index) => makeWorkload(workload, index, world));
}

/** `extensions` in place of what the configuration names, and beside it. */
export function buildCoordinator(
  sched: Scheduler,
  config: SimulationConfig,
  buffers: SharedBuffers,
  devicePorts: readonly Port[],
  cpuPorts: readonly Port[],
  extensions: Extensions = {},
): Coordinator {
  const { invalidation, drivers } = extensions;
  const { placement, eviction, prefetch } = guardedPolicies(extensions, config);
  const memory = openMemory(buffers);
  const world = {
    sched,
    memory,
    folios: new FolioTable(buffers.folios, memory.layout),
    tables: new TableArena(buffers.cpuTables),
    brackets: config.workloads.map(
      (_, i) => new AccessBracket(buffers.brackets, i, config.executor === 'virtual'),
    ),
    arrays: new PageArrays(buffers.arrays),
    iommus: buffers.iommus.map((buffer) => new Iommu(buffer, memory.layout.totalPages)),
    policy: placement ?? placementPolicy(config),
    eviction: eviction ?? leastRecentlyUsed,
    ...(invalidation === undefined ? {} : { invalidation: guardedInvalidation(invalidation, config) }),
    ...(drivers === undefined ? {} : { drivers: guardedDrivers(drivers, config) }),
    payloads: openPayloads(config, buffers),
    ...prefetchOf(config, prefetch),
  };
  return new Coordinator(coordinatorConfig(config, sched), world, devicePorts, cpuPorts);
}

function prefetchOf(
  { svm: { prefetchPages = 0 } }: SimulationConfig,
  prefetch: PrefetchPolicy | undefined,
): { prefetch?: PrefetchPolicy } {
  if (prefetch !== undefined) return { prefetch };
  return prefetchPages === 0 ? {} : { prefetch: prefetchAhead(prefetchPages) };
}

export function buildDevice(
  sched: Scheduler,
  config: SimulationConfig,
  buffers: SharedBuffers,
  device: number,
  port: Port,
  workloads: readonly Workload[],
  interconnect: Interconnect | null,
): DeviceActor {
  const memory = openMemory(buffers);
  const world = {
    sched,
    actor: deviceActorId(device),
    memory,
    tables: new TableArena(buffers.gpuTables[device]),
    arrays: new PageArrays(buffers.arrays),
    iommu: new Iommu(buffers.iommus[device], memory.layout.totalPages),
    ...(interconnect === null ? {} : { interconnect }),
  };
  const kernelOf: WorkloadKernels = (workload, phase, a, b) =>
    workloads[workload].kernel(device, phase, a, b);
  const kernels = devicesLeave(config.workloads) ? patientKernels(sched, kernelOf) : kernelOf;
  return new DeviceActor(gpuConfig(config, device), world, port, kernels);
}

/** As a device's actor asks for them. */
type WorkloadKernels = (...launch: Parameters<KernelSource>) => DeviceKernel;

/** Kernels whose contexts wait for the device to come back when it leaves. */
function patientKernels(sched: Scheduler, kernels: WorkloadKernels): KernelSource {
  const sleep = (ns: number): Steps<void> => sched.sleep(ns);
  return (...launch) => {
    const kernel = kernels(...launch);
    return (context) => kernel(new PatientContext(context, sleep));
  };
}

export function buildCpuThread(
  sched: Scheduler,
  config: SimulationConfig,
  buffers: SharedBuffers,
  cpu: number,
  tableRoot: number,
  port: Port,
): CpuThread {
  const world = {
    sched,
    actor: cpuActorId(config, cpu),
    memory: openMemory(buffers),
    tableWords: BufferViews.of(buffers.cpuTables).uint32s,
    tableRoot,
    bracket: new AccessBracket(buffers.brackets, cpu, config.executor === 'virtual'),
    accessNs: config.cost.cpuAccessNs,
  };
  const payload = openPayloads(config, buffers)[cpu];
  return new CpuThread(cpu, payload === undefined ? world : { ...world, payload }, port);
}

function placementPolicy(config: SimulationConfig): PlacementPolicy {
  switch (config.svm.placement) {
    case 'migrate':
      return migrateToFaulting(false);
    case 'migrate-system-pages':
      return migrateToFaulting(true);
    case 'system':
      return stayInRam;
    case 'preferred':
      return preferDevice(config.svm.preferredDevice);
  }
}

const THP_MODES: Readonly<Record<ThpName, ThpMode>> = {
  never: ThpMode.Never,
  madvise: ThpMode.Madvise,
  always: ThpMode.Always,
};

function coordinatorConfig(config: SimulationConfig, sched: Scheduler): CoordinatorConfig {
  const { svm, cost, machine } = config;
  const mirror = machine?.driver === 'mirror' ? { mirror: { chunkPages: machine.mirrorChunkPages } } : {};
  return {
    ...mirror,
    ...driverTuning(config),
    layout: svm.layout,
    interconnect: svm.interconnect,
    chunkPages: svm.chunkPages,
    notifierPages: svm.notifierPages,
    timesliceNs: svm.timesliceUs * 1000,
    checkPagesThreshold: 16,
    thp: THP_MODES[config.thp ?? 'madvise'],
    hugetlbPages: machine?.hugetlbPages ?? 0,
    mirrorAll: !config.workloads.some(({ kind }) => kind === 'case'),
    pagesPerStep: sched.modelsTime ? PAGES_PER_STEP_VIRTUAL : PAGES_PER_STEP_THREADS,
    pathCosts: cost.faultPathNs,
    costs: {
      cpuFaultNs: cost.cpuFaultNs,
      migratePageNs: cost.migratePageNs,
      hmmPageNs: cost.hmmPageNs,
      tlbShootdownNs: cost.cpuTlbShootdownNs,
      syscallNs: cost.syscallNs,
    },
  };
}

/** What holds without these only the driver knows. */
function driverTuning({ svm, device }: SimulationConfig): Partial<CoordinatorConfig> {
  const { atomicTimesliceNs, migratePagesMin, togetherPages } = svm;
  return {
    ...(atomicTimesliceNs === undefined ? {} : { atomicTimesliceNs }),
    ...(migratePagesMin === undefined ? {} : { migratePagesMin }),
    ...(togetherPages === undefined ? {} : { togetherPages }),
    ...(device.systemAtomics === undefined ? {} : { systemAtomics: device.systemAtomics }),
    ...(device.clearVram === undefined ? {} : { clearVram: device.clearVram }),
  };
}

function gpuConfig(config: SimulationConfig, device: number): GpuConfig {
  const { device: spec, cost } = config;
  return {
    index: device,
    vramPages: config.machine?.memories[device].pages ?? spec.vramPages,
    tlbEntries: spec.tlbEntries,
    tlbWays: Math.min(GPU_DEFAULTS.tlbWays, spec.tlbEntries),
    contexts: spec.contexts,
    faultBatchMax: spec.faultBatch,
    faultBufferEntries: spec.faultBufferEntries,
    faultOutstandingMax: spec.faultBufferEntries,
    copyEngines: spec.copyEngines,
    systemAtomics: spec.systemAtomics ?? 'none',
    links: deviceLinks(config, device),
    costs: {
      faultBatchNs: cost.gpuFaultNs,
      faultEntryNs: cost.gpuFaultEntryNs,
      bindPageNs: cost.gpuPteWriteNs,
      bindNs: cost.gpuBindNs,
      tlbInvalidateNs: cost.gpuTlbInvalidateNs,
      copySetupNs: cost.copySetupNs,
      kernelLaunchNs: cost.kernelLaunchNs,
    },
  };
}

/** The links of a device by themselves; how they are shared with others only a fabric knows. */
function deviceLinks(config: SimulationConfig, device: number): DeviceLinks {
  const { cost, svm, deviceCount } = config;
  const host = { bandwidthBytesPerNs: cost.hostLinkGBps, latencyNs: cost.linkLatencyNs };
  const peer = { bandwidthBytesPerNs: cost.peerLinkGBps, latencyNs: cost.peerLatencyNs };
  return {
    hostToDevice: host,
    deviceToHost: host,
    local: { bandwidthBytesPerNs: cost.vramGBps, latencyNs: 0 },
    peers: Array.from({ length: deviceCount }, (_, other) =>
      other !== device && areLinked(svm.interconnect, device, other) ? peer : null,
    ),
  };
}
