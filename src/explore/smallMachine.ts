/** Makes a configuration as small as its programs allow: building the machine is what a short run costs most. */

import { ZoneKind } from '../memory/zone.js';
import { payloadBytesFor } from '../simulation/sharedBuffers.js';
import type { MachineSpec, SimulationConfig } from '../simulation/simulationConfig.js';

/** Messages of one ring: more are held back by the sender. */
const RING_MESSAGES = 16;
const PAGE_ARRAYS = 16;
/** Page-table pages of a scenario's processes and of each GPU. */
const SCENARIO_TABLES = 96;

export function smallMachine(config: SimulationConfig): SimulationConfig {
  const machine = config.machine ?? scenarioMachine(config);
  return { ...config, machine: { ...machine, ringMessages: RING_MESSAGES } };
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
