/** Measures GPU faults: on pages that are present, that have to migrate, and on holes; by size of the range and by faults under way at once. */

import { median } from '../../base/statistics.js';
import type { WarmedUp, WarmUp } from '../../base/steadyState.js';
import { PAGE_BYTES } from '../../base/units.js';
import { ObserverBuffers } from '../../observe/actorObserver.js';
import type { Histogram } from '../../observe/histogram.js';
import { deviceKey, Meters } from '../../observe/meters.js';
import { Observation } from '../../observe/observation.js';
import { type TailLatency, tailLatencyOf } from '../../observe/tailLatency.js';
import type { FaultBenchConfig } from '../../workload/workloadConfig.js';
import { runWithBuffers } from '../makeSimulation.js';
import { rangeSizes } from '../rangeSizes.js';
import type { RunReport } from '../runReport.js';
import { allocateBuffers } from '../sharedBuffers.js';
import type { SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { countsOf, problemOf, samplesOf, warmedUpOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, type BenchStatus, measureEach } from './benchRun.js';
import { type KernelFaults, measureKernelFaults } from './kernelFaults.js';

export const faultPages = ['present', 'migrate', 'hole'] as const;
/** What a fault finds: a page in RAM that stays there, one that moves to the device, or nothing. */
export type FaultPages = (typeof faultPages)[number];

/** Of one clock. */
export interface FaultTimes extends WarmedUp {
  /** Ranges that one sample touches. */
  readonly ranges: number;
  /** Faults of one sample as they were counted, in the mean: none for a range that another fault has brought ahead, several for one that went away again. */
  readonly faults: number;
  /** Sample by sample. */
  readonly times: readonly number[];
  /** From the raising of a fault to its answer. */
  readonly latency: TailLatency;
}

export interface FaultVariant {
  readonly pages: FaultPages;
  readonly rangeBytes: number;
  /** Faults under way at once. */
  readonly outstanding: number;
}

export interface FaultCell extends FaultVariant {
  readonly status: BenchStatus;
  readonly reason: string;
  readonly wall: FaultTimes | null;
  readonly simulated: FaultTimes | null;
  /** This machine's times of the samples under `virtual`: how fast the simulator itself is. Empty where nobody asked for this machine's clock. */
  readonly virtualTimes: readonly number[];
  /** Of this machine's own kernel; null where it was not measured. */
  readonly kernel: KernelFaults | null;
}

export interface FaultOptions {
  readonly variants: readonly FaultVariant[];
  readonly samples: number;
  readonly clocks: BenchClocks;
  /** The C program that takes the machine's own faults; null not to. */
  readonly kernelProgram: string | null;
}

/** Of one sample: enough for the grain of clocks, and not so much that memory counts. */
const SAMPLE_BYTES = { min: 4 * 2 ** 20, max: 128 * 2 ** 20 } as const;
const SAMPLE_FAULTS = 1024;
const RAM_SHARE = 0.75;
const WARM_UP: WarmUp = { roundsMin: 10, blockNs: 50e6, nsMax: 2.5e9 };
/** A compiler in the background needs longer than some rounds, and what finds other pages runs through other code. */
const COLD_WARM_UP: WarmUp = { ...WARM_UP, nsMin: 2e9, nsMax: 6e9 };
/** Modelled time does not fluctuate. That of this machine is told too: it asks for a warm compiler, and the same number of rounds on every machine. */
const SAMPLES_SIMULATED = 5;
const SIMULATED_WARM_UP: WarmUp = { roundsMin: 20, roundsMax: 20 };

export async function runBenchFault(
  config: SimulationConfig,
  options: FaultOptions & BenchControl<FaultCell>,
): Promise<FaultCell[]> {
  const workers = new WorkerPool(config.policyFile !== undefined);
  const { kernelProgram, samples, clocks, signal } = options;
  const kernel =
    kernelProgram === null || !clocks.wall ? null : await measureKernelFaults(kernelProgram, samples, signal);
  const seen = new Set<FaultPages>();
  return measureEach(options.variants, options, (variant) => {
    const isCold = !seen.has(variant.pages);
    seen.add(variant.pages);
    return measureCell(config, variant, options, { workers, isCold, kernel });
  });
}

/** Ranges of one sample: as many as steady the figure and as memory holds, and no fewer than faults under way. */
export function faultRanges(config: SimulationConfig, { rangeBytes, outstanding }: FaultVariant): number {
  const wanted = Math.max(SAMPLE_BYTES.min, SAMPLE_FAULTS * rangeBytes);
  const bytes = Math.min(SAMPLE_BYTES.max, wanted, roomFor(config));
  return Math.max(outstanding, Math.floor(bytes / rangeBytes));
}

/** What RAM and the device hold beside all else. */
function roomFor({ ramPages, device }: SimulationConfig): number {
  return Math.floor(Math.min(ramPages * RAM_SHARE, device.vramPages)) * PAGE_BYTES;
}

interface CellSetup {
  readonly workers: WorkerPool;
  /** It is the first one that runs through its code. */
  readonly isCold: boolean;
  readonly kernel: KernelFaults | null;
}

async function measureCell(
  config: SimulationConfig,
  variant: FaultVariant,
  { samples, clocks, signal }: FaultOptions & BenchControl<FaultCell>,
  { workers, isCold, kernel }: CellSetup,
): Promise<FaultCell> {
  const ranges = faultRanges(config, variant);
  if (ranges * variant.rangeBytes > roomFor(config)) {
    const nothing = { wall: null, simulated: null, virtualTimes: [], kernel };
    return { ...variant, ...nothing, status: 'Waived', reason: 'needs more memory than the machine has' };
  }
  const run = (executor: SimulationConfig['executor']): Promise<CellRun> => {
    const wallWarmUp = isCold ? COLD_WARM_UP : WARM_UP;
    const workload: FaultBenchConfig = {
      kind: 'fault-bench',
      name: 'bench',
      pages: variant.pages,
      ranges,
      rangePages: variant.rangeBytes / PAGE_BYTES,
      samples: executor === 'virtual' ? SAMPLES_SIMULATED : samples,
      warmUp: executor === 'virtual' ? SIMULATED_WARM_UP : wallWarmUp,
    };
    return runCell(cellConfig(config, variant, executor, workload), workers, signal);
  };
  const wall = clocks.wall ? await run('threads') : null;
  const model = clocks.simulated && signal?.aborted !== true ? await run('virtual') : null;
  const runs = [wall, model].filter((one) => one !== null);
  const problem = runs.map(({ report }) => problemOf(report, 'sample')).find((text) => text !== null) ?? null;
  return {
    ...variant,
    status: problem === null ? 'Passed' : 'Error',
    reason: problem ?? '',
    wall: wall === null ? null : timesOf(wall, ranges),
    simulated: model === null ? null : timesOf(model, ranges),
    virtualTimes: model === null || !clocks.wall ? [] : samplesOf(countsOf(model.report), 'wall'),
    kernel,
  };
}

function cellConfig(
  config: SimulationConfig,
  { pages, rangeBytes, outstanding }: FaultVariant,
  executor: SimulationConfig['executor'],
  workload: FaultBenchConfig,
): SimulationConfig {
  const chunkPages = rangeSizes(rangeBytes / PAGE_BYTES);
  const placement = pages === 'migrate' ? 'migrate' : 'system';
  return {
    ...config,
    name: 'bench fault',
    executor,
    deviceCount: 1,
    device: { ...config.device, contexts: outstanding },
    // A page that moves to the device does so whatever the size of its range.
    svm: { ...config.svm, chunkPages, placement, migratePagesMin: 1, timesliceUs: 0 },
    workloads: [workload],
  };
}

interface CellRun {
  readonly report: RunReport;
  readonly latency: Histogram;
}

async function runCell(
  config: SimulationConfig,
  workers: WorkerPool,
  signal: AbortSignal | undefined,
): Promise<CellRun> {
  const buffers = allocateBuffers(config);
  const report = await runWithBuffers(config, buffers, {
    workers,
    ...(signal === undefined ? {} : { signal }),
  });
  const observation = new Observation(new ObserverBuffers(buffers.observer));
  return { report, latency: observation.histogram(Meters.gpuStall, deviceKey(0)) };
}

/** Latencies of warm-up are forgotten, so that there are as many as there were faults in all samples. */
function timesOf({ report, latency }: CellRun, ranges: number): FaultTimes | null {
  const counts = countsOf(report);
  const times = samplesOf(counts, 'sample');
  if (times.length === 0 || latency.count === 0) return null;
  const faults = latency.count / times.length;
  return { ranges, faults, times, latency: tailLatencyOf(latency), ...warmedUpOf(counts) };
}

/** Faults of this machine's clock under `threads`, over the faults that its kernel takes in the same time; null where either was not measured. */
export function kernelRatioOf({ wall, kernel }: FaultCell): number | null {
  if (wall === null || kernel === null || kernel.times.length === 0) return null;
  return median(kernel.times) / (median(wall.times) / wall.faults);
}
