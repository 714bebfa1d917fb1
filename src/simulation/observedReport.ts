/** The part of a run's report that comes from what was observed: counters and latencies. */

import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import type { ObserverBuffers } from '../observe/actorObserver.js';
import { deviceCounters, retryCounters, runCounters } from '../observe/counters.js';
import { loadCounts } from '../observe/loads.js';
import { faultServiceLatency, invalidationLatency, Observation } from '../observe/observation.js';
import { wantedRateOf } from '../workload/wantedRate.js';
import type { RunReport } from './runReport.js';
import type { SimulationConfig } from './simulationConfig.js';

export type ObservedReport = Pick<
  RunReport,
  'devices' | 'counters' | 'retries' | 'invalidationLatency' | 'loads'
>;
type ObservedConfig = Pick<SimulationConfig, 'deviceCount' | 'workloads'>;

/** `snapshots` is empty while the devices have not been asked yet. */
export function observedReport(
  buffers: ObserverBuffers,
  { deviceCount, workloads }: ObservedConfig,
  snapshots: readonly GpuSnapshot[],
): ObservedReport {
  const observation = new Observation(buffers);
  const source = { observation, snapshots: snapshots.length > 0 ? snapshots : null };
  const devices = Array.from({ length: deviceCount }, (_, device) => ({
    device,
    counters: deviceCounters(source, device),
    faultLatency: faultServiceLatency(observation, device),
  }));
  return {
    devices,
    counters: runCounters(source, deviceCount),
    retries: retryCounters(observation),
    invalidationLatency: invalidationLatency(observation),
    loads: loadCounts(observation).map((counts) => ({
      ...counts,
      wanted: wantedRateOf(workloads, counts.load),
    })),
  };
}
