/** Makes a configuration as small as its programs allow: building the machine is what a short run costs most. */

import { PMD_PAGES } from '../base/units.js';
import { ZoneKind } from '../memory/zone.js';
import { payloadBytesFor } from '../simulation/sharedBuffers.js';
import type { CostConfig, MachineSpec, SimulationConfig, SvmConfig } from '../simulation/simulationConfig.js';

/** Messages of one ring: more are held back by the sender. */
const RING_MESSAGES = 16;
const PAGE_ARRAYS = 16;
/** Longer than most of what others do meanwhile: a step takes 0.1 us, and whoever comes too early comes again after 1 us. */
const TIMESLICE_MAX_US = 50;
/** Page-table pages of a scenario's processes and of each GPU, however small it is. */
const SCENARIO_TABLES = 32;
/** And for each 2 MiB of RAM, of which a program may map some with the ends of areas in between. */
const TABLES_PER_PMD = 2;

/**
 * Nothing takes time but where the protocol itself waits for time. A sleeping task goes on only when nobody else can, so modelled costs would
 * leave out most interleavings, and each of them is steps more.
 */
const NO_COST: Omit<CostConfig, 'preset'> = {
  peers: 'direct',
  devicesPerSwitch: 0,
  hostLinkGBps: Number.POSITIVE_INFINITY,
  hostDuplexGBps: Number.POSITIVE_INFINITY,
  hostUplinkGBps: Number.POSITIVE_INFINITY,
  hostMemoryGBps: Number.POSITIVE_INFINITY,
  peerLinkGBps: Number.POSITIVE_INFINITY,
  peerDuplexGBps: Number.POSITIVE_INFINITY,
  vramGBps: Number.POSITIVE_INFINITY,
  copyEngineGBps: Number.POSITIVE_INFINITY,
  linkLatencyNs: 0,
  peerLatencyNs: 0,
  hopLatencyNs: 0,
  copySetupNs: 0,
  kernelLaunchNs: 0,
  gpuFaultNs: 0,
  gpuFaultEntryNs: 0,
  faultPathNs: { spurious: 0, present: 0, migrate: 0, peer: 0, refused: 0 },
  gpuTlbInvalidateNs: 0,
  gpuBindNs: 0,
  gpuPteWriteNs: 0,
  cpuFaultNs: 0,
  cpuAccessNs: 0,
  migratePageNs: 0,
  hmmPageNs: 0,
  cpuTlbShootdownNs: 0,
  syscallNs: 0,
};

export function smallMachine(config: SimulationConfig): SimulationConfig {
  const machine = config.machine ?? scenarioMachine(config);
  const { preset } = config.cost;
  return {
    ...config,
    svm: shortlyKept(config.svm),
    cost: { preset, ...NO_COST },
    machine: { ...machine, ringMessages: RING_MESSAGES },
  };
}

/** An access meets a page that a timeslice keeps, and faults again, until the time is over: with milliseconds that is all that a run would consist of. */
function shortlyKept(svm: SvmConfig): SvmConfig {
  return {
    ...svm,
    timesliceUs: Math.min(svm.timesliceUs, TIMESLICE_MAX_US),
    atomicTimesliceNs: Math.min(svm.atomicTimesliceNs ?? Number.POSITIVE_INFINITY, 1000 * TIMESLICE_MAX_US),
  };
}

function scenarioMachine(config: SimulationConfig): MachineSpec {
  return {
    driver: 'reference',
    memories: Array.from({ length: config.deviceCount }, () => ({
      pages: config.device.vramPages,
      kind: ZoneKind.DevicePrivate,
    })),
    tables: SCENARIO_TABLES + TABLES_PER_PMD * Math.floor(config.ramPages / PMD_PAGES),
    pageArrays: PAGE_ARRAYS,
    ringMessages: RING_MESSAGES,
    payloadBytes: payloadBytesFor(config.workloads),
    mirrorChunkPages: 0,
    hugetlbPages: 0,
  };
}
