/** Reports with round numbers, for tests of what is made from them. */

import { costConfig } from '../../src/scenario/costKeys.js';
import { loadPreset } from '../../src/scenario/presets.js';
import type { MigrateCell, MigrateFlowResult } from '../../src/simulation/bench/migrate.js';
import type { DeviceReport, RunReport } from '../../src/simulation/runReport.js';
import type { SimulationConfig } from '../../src/simulation/simulationConfig.js';

export const NO_LATENCY = { count: 0, meanNs: 0, p50Ns: 0, p90Ns: 0, p99Ns: 0, maxNs: 0 };

export function deviceReport(device: number, counters: Record<string, number> = {}): DeviceReport {
  return {
    device,
    counters: {
      svm_pagefault_count: 1200,
      tlb_inval_count: 30,
      svm_migrate_count: 310,
      svm_migrate_bytes: 12 * 2 ** 20,
      svm_cpu_migrate_count: 25,
      svm_hmm_migrate_count: 0,
      svm_evict_count: 3,
      svm_ram_to_device_copy_kb: 8192,
      svm_cpu_copy_kb: 1536,
      svm_peer_copy_kb: 0,
      ...counters,
    },
    faultLatency: {
      count: 1200,
      meanNs: 150_000,
      p50Ns: 123_456,
      p90Ns: 300_000,
      p99Ns: 1_234_567,
      maxNs: 2e6,
    },
  };
}

/** Two devices; programs ran for two seconds of wall time. */
export function runReport(changes: Partial<RunReport> = {}): RunReport {
  return {
    scenario: 'n1-mirror',
    executor: 'threads',
    seed: 7,
    outcome: 'completed',
    devices: [deviceReport(0), deviceReport(1, { svm_pagefault_count: 34 })],
    counters: {
      svm_pagefault_count: 1234,
      svm_migrate_count: 620,
      svm_device_copy_kb: 24_000,
      svm_cpu_migrate_count: 50,
      svm_evict_count: 6,
      hmm_range_fault_count: 345,
      hmm_fault_count: 98,
      cpu_fault_count: 4567,
      svm_copy_us: 11,
    },
    driverEvents: [],
    retries: { 'fault.EAGAIN': 12, 'migrate.EBUSY': 3, 'hmm.EBUSY': 0 },
    invalidationLatency: {
      count: 812,
      meanNs: 20_000,
      p50Ns: 12_300,
      p90Ns: 40_000,
      p99Ns: 120_000,
      maxNs: 1.5e6,
    },
    loads: [],
    workloads: [
      {
        workload: 'jacobi',
        ok: true,
        detail: '262144 cells equal the plain computation',
        counts: { iterations: 10 },
      },
      { workload: 'sort', ok: true, detail: 'replayed', counts: {} },
    ],
    checks: [
      { name: 'content', ok: true, detail: '512 pages compared' },
      { name: 'M2', ok: true, detail: '2048 pages' },
    ],
    failure: null,
    programsNs: 2e9,
    simulatedNs: 0,
    wallNs: 2.5e9,
    verifications: 3,
    steps: 1_234_567,
    ...changes,
  };
}

/** 4 GB/s, and 0.72 of plain copies. */
export function migrateFlow(changes: Partial<MigrateFlowResult> = {}): MigrateFlowResult {
  return {
    source: 'ram',
    destination: 'gpu0',
    path: 'ram-to-vram',
    group: 0,
    wall: {
      bytes: [16e6, 16e6, 16e6],
      times: [3e6, 4e6, 6e6],
      memcpyRatios: [0.9, 0.72, 0.48],
      warmups: 30,
      isSteady: true,
    },
    simulated: { bytes: [12.5e6], times: [1e6], memcpyRatios: [], warmups: 1, isSteady: false },
    ...changes,
  };
}

export function migrateCell(changes: Partial<MigrateCell> = {}): MigrateCell {
  return {
    test: 'host_to_device',
    sizeBytes: 2 ** 21,
    rangeBytes: 2 ** 21,
    storm: false,
    joined: false,
    status: 'Passed',
    reason: '',
    verified: true,
    flows: [migrateFlow()],
    totals: { wall: null, simulated: null },
    phases: { wall: null, simulated: null },
    ...changes,
  };
}

export function simulationConfig(changes: Partial<SimulationConfig> = {}): SimulationConfig {
  return {
    name: 'n1-mirror',
    seed: 7,
    executor: 'threads',
    ramPages: 65_536,
    deviceCount: 2,
    device: {
      vramPages: 16_384,
      contexts: 16,
      tlbEntries: 64,
      faultBatch: 32,
      faultBufferEntries: 256,
      copyEngines: 1,
    },
    svm: {
      layout: 'n1',
      chunkPages: [512, 16, 1],
      notifierPages: 131_072,
      placement: 'migrate',
      preferredDevice: 0,
      interconnect: 'peer',
      timesliceUs: 0,
    },
    cost: costConfig('plain', loadPreset('plain', '.').numbers),
    workloads: [],
    durationMs: Number.POSITIVE_INFINITY,
    ...changes,
  };
}

export const environment = {
  svmsim: '9.9.9',
  node: 'v20.0.0',
  platform: 'linux',
  arch: 'x64',
  cpu: 'a processor',
  cores: 2,
  memoryBytes: 8e9,
  peakMemoryBytes: 1e8,
};

/** Without indentation of the source around it; ends with a newline. */
export function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
