/** Makes a configuration as small as its programs allow: building the machine is what a short run costs most. */

import { ZoneKind } from '../memory/zone.js';
import { payloadBytesFor } from '../simulation/sharedBuffers.js';
import type { CostConfig, MachineSpec, SimulationConfig } from '../simulation/simulationConfig.js';

/** Messages of one ring: more are held back by the sender. */
const RING_MESSAGES = 16;
const PAGE_ARRAYS = 16;
/** Page-table pages of a scenario's processes and of each GPU. */
const SCENARIO_TABLES = 32;

/**
 * Nothing takes time but where the protocol itself waits for time. A sleeping task goes on only when nobody else can, so modelled costs would
 * leave out most interleavings, and each of them is steps more.
 */
const NO_COST: Omit<CostConfig, 'preset'> = {
  hostLinkGBps: Number.POSITIVE_INFINITY,
  peerLinkGBps: Number.POSITIVE_INFINITY,
  vramGBps: Number.POSITIVE_INFINITY,
  linkLatencyNs: 0,
  gpuFaultNs: 0,
  gpuTlbInvalidateNs: 0,
  gpuPteWriteNs: 0,
  gpuAccessNs: 0,
  cpuFaultNs: 0,
  cpuAccessNs: 0,
  migratePageNs: 0,
  hmmPageNs: 0,
  cpuTlbShootdownNs: 0,
  syscallNs: 0,
  messageNs: 0,
};

export function smallMachine(config: SimulationConfig): SimulationConfig {
  const machine = config.machine ?? scenarioMachine(config);
  const { preset } = config.cost;
  return { ...config, cost: { preset, ...NO_COST }, machine: { ...machine, ringMessages: RING_MESSAGES } };
}

function scenarioMachine(config: SimulationConfig): MachineSpec {
  return {
    driver: 'reference',
    memories: Array.from({ length: config.deviceCount }, () => ({
      pages: config.device.vramPages,
      kind: ZoneKind.DevicePrivate,
    })),
    tables: SCENARIO_TABLES,
    pageArrays: PAGE_ARRAYS,
    ringMessages: RING_MESSAGES,
    payloadBytes: payloadBytesFor(config.workloads),
    mirrorChunkPages: 0,
    hugetlbPages: 0,
  };
}
