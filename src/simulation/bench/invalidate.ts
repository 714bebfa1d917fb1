/** Measures invalidations: by event, size of the span, number of devices that map it, rate, and overlap of two at once. */

import type { WarmedUp, WarmUp } from '../../base/steadyState.js';
import { PAGE_BYTES } from '../../base/units.js';
import { NotifyEvent } from '../../mm/mirror/mmuNotifier.js';
import { ObserverBuffers } from '../../observe/actorObserver.js';
import { Meters } from '../../observe/meters.js';
import { Observation } from '../../observe/observation.js';
import { type TailLatency, tailLatencyOf } from '../../observe/tailLatency.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { InvalidateBenchConfig } from '../../workload/workloadConfig.js';
import { runWithBuffers } from '../makeSimulation.js';
import { rangeSizes } from '../rangeSizes.js';
import type { RunReport } from '../runReport.js';
import { allocateBuffers } from '../sharedBuffers.js';
import { type ExecutorName, LIMITS, type SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { countsOf, problemOf, samplesOf, warmedUpOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, type BenchStatus, measureEach } from './benchRun.js';
import { type InvalidationSplit, invalidationSplit } from './invalidationSplit.js';

export const invalidateEvents = ['protect', 'unmap', 'discard', 'migrate'] as const;
/** `protect`: mprotect; `unmap`: munmap; `discard`: madvise with MADV_DONTNEED; `migrate`: a prefetch from RAM to the first device. */
export type InvalidateEvent = (typeof invalidateEvents)[number];

/** What notifiers are told: what only makes the next round ready is told otherwise, and is not measured. */
const notifyEvents: Readonly<Record<InvalidateEvent, NotifyEvent>> = {
  protect: NotifyEvent.ProtectionVma,
  unmap: NotifyEvent.Unmap,
  discard: NotifyEvent.Clear,
  migrate: NotifyEvent.Migrate,
};

/** Of one clock. */
export interface InvalidateTimes extends WarmedUp {
  /** From the start of an invalidation until all devices have acknowledged it and the last callback has returned. */
  readonly latency: TailLatency;
  /** Of the calls of a round as the program sees them, sample by sample. */
  readonly calls: readonly number[];
  /** Where the time of one invalidation goes; from a run of its own. */
  readonly split: InvalidationSplit | null;
}

export interface InvalidateVariant {
  readonly event: InvalidateEvent;
  readonly spanBytes: number;
  readonly devices: number;
  /** Rounds per second at most; 0: one right after the other. */
  readonly rate: number;
  /** Null: one call at a time. Otherwise two at once, whose spans have this percentage in common. */
  readonly overlap: number | null;
}

export interface InvalidateCell extends InvalidateVariant {
  readonly status: BenchStatus;
  readonly reason: string;
  readonly wall: InvalidateTimes | null;
  readonly simulated: InvalidateTimes | null;
}

export interface InvalidateOptions {
  readonly variants: readonly InvalidateVariant[];
  /** A hundred rounds and more for each: a 99th and a 99.9th percentile need them. */
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/** Rounds for each sample that is asked for. */
const ROUNDS_PER_SAMPLE = 120;
/** Rounds of many devices take longer, and there are fewer of them then. */
const ROUNDS_NS_MAX = 2e9;
const ROUNDS_SIMULATED = 12;
/** Of rounds that wait, since a slow rate would take for ever. */
const PAUSED_NS_MAX = 2e9;
const WARM_UP: WarmUp = { roundsMin: 20, blockNs: 50e6, nsMax: 1.5e9 };
/** A round takes a millisecond, and the compiler seconds until it is done with it, in several stages; whose workers have run before needs less. */
const COLD_WARM_UP: WarmUp = { ...WARM_UP, nsMin: 2e9, nsMax: 6e9 };
const SIMULATED_WARM_UP: WarmUp = { roundsMin: 2, roundsMax: 2 };
const NANOSECONDS_PER_SECOND = 1e9;
/** For the two halves of a run that pages move between. */
const VRAM_PER_SPAN = 4;

export function runBenchInvalidate(
  config: SimulationConfig,
  options: InvalidateOptions & BenchControl<InvalidateCell>,
): Promise<InvalidateCell[]> {
  const workers = new WorkerPool(config.policyFile !== undefined);
  let devicesMax = 0;
  return measureEach(options.variants, options, (variant) => {
    const isCold = variant.devices > devicesMax;
    devicesMax = Math.max(devicesMax, variant.devices);
    return measureCell(config, variant, options, { workers, isCold });
  });
}

interface CellSetup {
  readonly workers: WorkerPool;
  /** It starts workers that nothing has run in before. */
  readonly isCold: boolean;
}

async function measureCell(
  config: SimulationConfig,
  variant: InvalidateVariant,
  { samples, clocks, signal }: InvalidateOptions & BenchControl<InvalidateCell>,
  { workers, isCold }: CellSetup,
): Promise<InvalidateCell> {
  const problems: (string | null)[] = [];
  const timesOf = async (executor: ExecutorName): Promise<InvalidateTimes | null> => {
    const rounds = roundsOf[executor](variant, samples, isCold);
    const run = await runCell(cellConfig(config, variant, executor, rounds), workers, signal);
    const latency = run.observation.histogram(Meters.invalidation, notifyEvents[variant.event]);
    problems.push(problemOf(run.report, 'sample'));
    const counts = countsOf(run.report);
    const calls = samplesOf(counts, 'sample');
    if (calls.length === 0 || latency.count === 0 || signal?.aborted === true) return null;
    const traced = cellConfig(config, variant, executor, TRACED);
    const { trace } = await runCell({ ...traced, trace: true }, workers, signal);
    const split = trace === null ? null : invalidationSplit(trace, notifyEvents[variant.event]);
    return { latency: tailLatencyOf(latency), calls, split, ...warmedUpOf(counts) };
  };
  const wall = clocks.wall ? await timesOf('threads') : null;
  const simulated = clocks.simulated && signal?.aborted !== true ? await timesOf('virtual') : null;
  const problem = problems.find((text) => text !== null) ?? null;
  return {
    ...variant,
    status: problem === null ? 'Passed' : 'Error',
    reason: problem ?? '',
    wall,
    simulated,
  };
}

type Rounds = Pick<InvalidateBenchConfig, 'samples' | 'samplesNs' | 'warmUp'>;

/** In workers that are warm; the trace holds all of these rounds. */
const TRACED: Rounds = { samples: 40, warmUp: { roundsMin: 20, roundsMax: 20 } };

const roundsOf: Readonly<
  Record<ExecutorName, (variant: InvalidateVariant, samples: number, isCold: boolean) => Rounds>
> = {
  virtual: () => ({ samples: ROUNDS_SIMULATED, warmUp: SIMULATED_WARM_UP }),
  threads: (variant, samples, isCold) => ({
    samples: roundsFor(variant, samples),
    samplesNs: ROUNDS_NS_MAX,
    warmUp: isCold ? COLD_WARM_UP : WARM_UP,
  }),
};

function roundsFor({ rate }: InvalidateVariant, samples: number): number {
  const wanted = samples * ROUNDS_PER_SAMPLE;
  return rate === 0
    ? wanted
    : Math.max(samples, Math.min(wanted, (rate * PAUSED_NS_MAX) / NANOSECONDS_PER_SECOND));
}

function cellConfig(
  config: SimulationConfig,
  { event, spanBytes, devices, rate, overlap }: InvalidateVariant,
  executor: ExecutorName,
  rounds: Rounds,
): SimulationConfig {
  const spanPages = spanBytes / PAGE_BYTES;
  const apart = overlap === null ? 0 : Math.round(spanPages * (1 - overlap / 100));
  const callers = overlap === null ? [0] : [0, apart];
  const workload: InvalidateBenchConfig = {
    kind: 'invalidate-bench',
    name: 'bench',
    event,
    pages: spanPages + apart,
    spanPages,
    callers,
    ...rounds,
    periodNs: rate === 0 ? 0 : NANOSECONDS_PER_SECOND / rate,
  };
  const vramPages = Math.max(config.device.vramPages, VRAM_PER_SPAN * spanPages);
  // Migrations go range by range: as few invalidations of the span as there can be.
  const chunkPages = rangeSizes(Math.min(LIMITS.chunkPagesMax, spanPages));
  const ranges = event === 'migrate' ? { chunkPages } : {};
  const svm = {
    ...config.svm,
    ...ranges,
    placement: 'system',
    interconnect: 'peer',
    timesliceUs: 0,
  } as const;
  const device = { ...config.device, vramPages };
  return {
    ...config,
    name: 'bench invalidate',
    executor,
    deviceCount: devices,
    device,
    svm,
    workloads: [workload],
  };
}

interface CellRun {
  readonly report: RunReport;
  readonly observation: Observation;
  readonly trace: Trace | null;
}

async function runCell(
  config: SimulationConfig,
  workers: WorkerPool,
  signal: AbortSignal | undefined,
): Promise<CellRun> {
  const buffers = allocateBuffers(config);
  let trace: Trace | null = null;
  const onTrace = (recorded: Trace): void => {
    trace = recorded;
  };
  const options = { workers, onTrace, ...(signal === undefined ? {} : { signal }) };
  const report = await runWithBuffers(config, buffers, options);
  const observation = new Observation(new ObserverBuffers(buffers.observer));
  return { report, observation, trace };
}
