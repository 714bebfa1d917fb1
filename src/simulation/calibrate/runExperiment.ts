/** Runs an experiment on a modelled machine and says what it gives, in the unit of the published figure. */

import { PAGE_BYTES } from '../../base/units.js';
import type { MachineProbeConfig } from '../../workload/workloadConfig.js';
import { makeSimulation } from '../makeSimulation.js';
import { rangeSizes } from '../rangeSizes.js';
import type { RunReport } from '../runReport.js';
import type { SimulationConfig } from '../simulationConfig.js';
import { timesOfCopies } from './copyRig.js';
import type {
  CopyExperiment,
  Experiment,
  FaultExperiment,
  FolioGainExperiment,
  PrefetchExperiment,
} from './experiment.js';

/** Faults whose times are averaged: more where they are small, since their times may be drawn from a wide distribution. */
const faultsOf = (rangeBytes: number): number => (rangeBytes < 2 ** 20 ? 256 : 16);
const NS_PER_US = 1000;

/** An experiment that did not end as it should, which no figure can be made of. */
export class ExperimentFailure extends Error {
  override readonly name = 'ExperimentFailure';
}

/**
 * GB/s, microseconds or percent, as the experiment says. All in simulated time; the seed decides what is drawn. Rejects with the signal's reason where
 * that has cut it off.
 */
export async function runExperiment(
  machine: SimulationConfig,
  experiment: Experiment,
  signal?: AbortSignal,
): Promise<number> {
  switch (experiment.kind) {
    case 'copies':
      return copies(machine, experiment, signal);
    case 'prefetch':
      return prefetch(machine, experiment, signal);
    case 'fault':
      return fault(machine, experiment, signal);
    case 'folio-gain':
      return folioGain(machine, experiment, signal);
  }
}

async function copies(
  { cost, seed, device }: SimulationConfig,
  experiment: CopyExperiment,
  signal: AbortSignal | undefined,
): Promise<number> {
  const engines = experiment.enginesPerDevice ?? device.copyEngines;
  const times = await timesOfCopies(cost, seed, engines, experiment, signal);
  const { moves, measure } = experiment;
  switch (measure) {
    case 'us':
      return times[0] / NS_PER_US;
    case 'first':
      return moves[0].bytes / times[0];
    case 'total':
      return moves.reduce((sum, { bytes }) => sum + bytes, 0) / Math.max(...times);
  }
}

async function prefetch(
  machine: SimulationConfig,
  experiment: PrefetchExperiment,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { bytes, rangeBytes, atOnce, hugePages } = experiment;
  const probe = { by: 'prefetch', bytes, rangeBytes, atOnce, hugePages } as const;
  const { counts } = await runProbe(machine, probe, signal);
  return bytes / counts.broughtNs;
}

async function fault(
  machine: SimulationConfig,
  experiment: FaultExperiment,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { rangeBytes, hugePages, measure } = experiment;
  const faults = faultsOf(rangeBytes);
  const bytes = faults * rangeBytes;
  const probe = { by: 'fault', bytes, rangeBytes, atOnce: 1, hugePages } as const;
  const { report, counts } = await runProbe(machine, probe, signal);
  const [{ counters }] = report.devices;
  const mean = (sum: string, count: string): number => (counters[sum] ?? 0) / (counters[count] ?? 0);
  const copyUs = mean('svm_2M_device_copy_us', 'svm_2M_migrate_count');
  const serviceUs = mean('svm_pagefault_us', 'svm_pagefault_count');
  switch (measure) {
    case 'answer':
      return counts.broughtNs / faults / NS_PER_US;
    case 'service':
      return serviceUs;
    case 'copy':
      return copyUs;
    case 'copy-share':
      return (100 * copyUs) / serviceUs;
  }
}

async function folioGain(
  machine: SimulationConfig,
  experiment: FolioGainExperiment,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { bytes, rangeBytes } = experiment;
  const rate = (hugePages: boolean): Promise<number> =>
    prefetch(machine, { kind: 'prefetch', bytes, rangeBytes, atOnce: 1, hugePages }, signal);
  return (100 * (await rate(true))) / (await rate(false));
}

interface Probe extends Pick<MachineProbeConfig, 'by' | 'atOnce' | 'hugePages'> {
  readonly bytes: number;
  readonly rangeBytes: number;
}

interface ProbeRun {
  readonly report: RunReport;
  readonly counts: Readonly<Record<string, number>>;
}

async function runProbe(
  machine: SimulationConfig,
  probe: Probe,
  signal: AbortSignal | undefined,
): Promise<ProbeRun> {
  const { by, atOnce, hugePages } = probe;
  const rangePages = probe.rangeBytes / PAGE_BYTES;
  const pages = probe.bytes / PAGE_BYTES;
  const workload: MachineProbeConfig = {
    kind: 'machine-probe',
    name: 'probe',
    by,
    pages,
    rangePages,
    atOnce,
    hugePages,
  };
  const chunkPages = rangeSizes(rangePages);
  const svm = { ...machine.svm, chunkPages, placement: 'migrate', timesliceUs: 0 } as const;
  const config: SimulationConfig = {
    ...machine,
    executor: 'virtual',
    deviceCount: 1,
    svm,
    workloads: [workload],
  };
  const report = await makeSimulation(config).run(signal === undefined ? {} : { signal });
  signal?.throwIfAborted();
  const ok =
    report.failure === null &&
    report.workloads.every((one) => one.ok) &&
    report.checks.every((one) => one.ok);
  if (!ok) throw new ExperimentFailure(`a ${by} of ${probe.bytes} bytes: ${whyNot(report)}`);
  requireMoved(report, probe);
  return { report, counts: report.workloads[0].counts };
}

/** A prefetch promises nothing of where its pages are afterwards, and a fault may map them where they were. */
function requireMoved({ devices: [{ counters }] }: RunReport, { by, bytes }: Probe): void {
  const moved = counters.svm_migrate_bytes ?? 0;
  if (moved !== bytes) throw new ExperimentFailure(`a ${by} of ${bytes} bytes moved ${moved}`);
}

function whyNot({ failure, workloads, checks }: RunReport): string {
  if (failure !== null) return failure.message;
  const wrong = workloads.find(({ ok }) => !ok) ?? checks.find(({ ok }) => !ok);
  return wrong?.detail ?? 'no reason';
}
