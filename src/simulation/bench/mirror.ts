/** Compares the layouts of a mirror: the same accesses by 1 to 16 devices with a mirror each, with one for all, and with one HMM fault for all. */

import type { WarmedUp, WarmUp } from '../../base/steadyState.js';
import { DriverStep } from '../../driver/driverStep.js';
import { GpuSvmStep } from '../../drm/gpusvm/gpusvmStep.js';
import { ObserverBuffers } from '../../observe/actorObserver.js';
import { Observation } from '../../observe/observation.js';
import type { MirrorBenchConfig } from '../../workload/workloadConfig.js';
import { runWithBuffers } from '../makeSimulation.js';
import type { RunReport } from '../runReport.js';
import { allocateBuffers } from '../sharedBuffers.js';
import type { LayoutName, SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { warmedUpOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, measureEach } from './benchRun.js';

/** Who loads what. `shared`: every device all of the buffer; `private`: each a part of its own. */
export const mirrorAccesses = ['shared', 'private'] as const;
export type MirrorAccess = (typeof mirrorAccesses)[number];

/** In the order in which they are compared. */
export const mirrorLayouts: readonly LayoutName[] = ['one-to-one', 'n1', 'n1-shared-fault'];

/** Times of one clock, in nanoseconds. */
export interface MirrorTimes {
  /** Until every device has loaded all that it loads, for the first time. */
  readonly firstAccessNs: number;
  /** One mprotect of the buffer while all devices have it mapped, as the program sees it: round by round. */
  readonly invalidateNs: readonly number[];
  /** Until every device has all of it again: round by round. */
  readonly againNs: readonly number[];
}

export interface MirrorCell {
  /** Unique within a run of the benchmark. */
  readonly name: string;
  readonly layout: LayoutName;
  readonly devices: number;
  readonly access: MirrorAccess;
  /** Mean for one invalidation. */
  readonly callbacksPerInvalidation: number;
  /** Walks of hmm_range_fault, and pages that they looked at, of the first access and of all rounds after it. */
  readonly hmmWalks: number;
  readonly hmmPages: number;
  readonly ranges: number;
  readonly notifiers: number;
  readonly pagesObjects: number;
  /** Pages mapped for a device's DMA, all times together. */
  readonly dmaMaps: number;
  /** Of these, in mappings of a range that the device never bound. */
  readonly dmaMapsUnused: number;
  /** After the first access, by the sizes of the kernel's structures. */
  readonly metadataBytes: number;
  /** Of the cost model; null where it was not asked for. */
  readonly simulated: MirrorTimes | null;
  /** Of this machine; null where it was not asked for. */
  readonly wall: (MirrorTimes & WarmedUp) | null;
  /** Every load gave what was stored, and every check held. */
  readonly verified: boolean;
}

export interface MirrorOptions {
  /** Ascending. */
  readonly deviceCounts: readonly number[];
  /** Invalidations in each cell of the model, which counts and simulated times are of. */
  readonly rounds: number;
  /** The same in a run under threads: wall times scatter, so that only these take more where somebody asks for it. */
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/** 4 MiB. */
const BUFFER_PAGES = 1024;

/**
 * Bytes of the kernel's structures on a 64-bit machine, counted from their members: include/drm/drm_gpusvm.h with the N:1 series, drm_pagemap.h,
 * linux/mmu_notifier.h. A driver's own part of a range is not among them.
 */
const KERNEL_BYTES = { notifier: 200, range: 96, pages: 64, dmaAddr: 16 } as const;

/** Of a run before the one that is measured, in the same workers: what is timed is one first access, and rounds of which none comes before the others. */
const WARM_UP: WarmUp = { roundsMin: 10, blockNs: 50e6, nsMax: 4e9 };
/** Of workers that nothing has run in before, and of layouts. */
const COLD_WARM_UP: WarmUp = { ...WARM_UP, nsMin: 2e9, nsMax: 6e9 };
const NO_WARM_UP: WarmUp = { roundsMin: 0, roundsMax: 0 };

export function runBenchMirror(
  config: SimulationConfig,
  options: MirrorOptions & BenchControl<MirrorCell>,
): Promise<MirrorCell[]> {
  const workers = new WorkerPool(config.policyFile !== undefined);
  const variants = mirrorAccesses.flatMap((access) =>
    options.deviceCounts.flatMap((devices) => mirrorLayouts.map((layout) => ({ layout, devices, access }))),
  );
  let devicesMax = 0;
  const seen = new Set<LayoutName>();
  return measureEach(variants, options, (variant) => {
    const { devices, layout } = variant;
    const warmUp = devices > devicesMax || !seen.has(layout) ? COLD_WARM_UP : WARM_UP;
    devicesMax = Math.max(devicesMax, devices);
    seen.add(layout);
    return measureCell(config, variant, options, { workers, warmUp });
  });
}

interface CellSetup {
  readonly workers: WorkerPool;
  readonly warmUp: WarmUp;
}

/** Counts and simulated times come from the virtual executor, so that they are the same each time; wall times from a run of the same program under threads. */
async function measureCell(
  config: SimulationConfig,
  { layout, devices, access }: Pick<MirrorCell, 'layout' | 'devices' | 'access'>,
  { rounds, samples, clocks, signal }: MirrorOptions & BenchControl<MirrorCell>,
  { workers, warmUp }: CellSetup,
): Promise<MirrorCell> {
  const cellOf = (
    executor: SimulationConfig['executor'],
    invalidations: Pick<MirrorBenchConfig, 'rounds' | 'warmUp'>,
  ): SimulationConfig =>
    cellConfig({ ...config, executor, deviceCount: devices }, layout, access, invalidations);
  const run = (cell: SimulationConfig): Promise<CellRun> => runCell(cell, workers, signal);
  const model = await run(cellOf('virtual', { rounds, warmUp: NO_WARM_UP }));
  const inThreads = async (): Promise<MirrorTimes & WarmedUp> => {
    const before = await run(cellOf('threads', { rounds: 0, warmUp }));
    // What is told to end starts no other run: its cell is dropped.
    const isCut = signal?.aborted === true;
    const measured = isCut ? before : await run(cellOf('threads', { rounds: samples, warmUp: NO_WARM_UP }));
    reports.push(before.report, measured.report);
    return { ...timesOf(measured.counts, samples), ...warmedUpOf(before.counts) };
  };
  const reports = [model.report];
  const wall = clocks.wall && signal?.aborted !== true ? await inThreads() : null;
  const { counts, observation } = model;
  const in3 = (counter: string): number =>
    counts[`first.${counter}`] + counts[`invalidate.${counter}`] + counts[`again.${counter}`];
  const ranges = observation.count(GpuSvmStep.rangeInserted);
  const notifiers = observation.count(GpuSvmStep.notifierInserted);
  const pagesObjects = pagesObjectsIn(observation, ranges);
  const dmaMaps = in3('svm_dma_map_pages');
  const mappings = in3('svm_dma_map_count');
  return {
    name: `${layout}/${devices}/${access}`,
    layout,
    devices,
    access,
    callbacksPerInvalidation: counts['invalidate.mmu_callback_count'] / rounds,
    hmmWalks: in3('hmm_range_fault_count'),
    hmmPages: in3('hmm_range_fault_pages'),
    ranges,
    notifiers,
    pagesObjects,
    dmaMaps,
    dmaMapsUnused: Math.round(dmaMaps * (1 - Math.min(1, in3('svm_bind_count') / mappings))),
    metadataBytes:
      notifiers * KERNEL_BYTES.notifier +
      ranges * KERNEL_BYTES.range +
      pagesObjects * KERNEL_BYTES.pages +
      counts['first.svm_dma_map_pages'] * KERNEL_BYTES.dmaAddr,
    simulated: clocks.simulated ? timesOf(counts, rounds) : null,
    wall,
    verified: reports.every(isVerified),
  };
}

/**
 * Each growth tells how many there are in the range then. One that has grown twice had one object inline before it had the array, so as many as
 * there are growths beyond the ranges are counted twice.
 */
function pagesObjectsIn(observation: Observation, ranges: number): number {
  const growths = observation.count(DriverStep.growPages);
  return observation.sum(DriverStep.growPages, 'count') - (growths - ranges);
}

function cellConfig(
  config: SimulationConfig,
  layout: LayoutName,
  access: MirrorAccess,
  invalidations: Pick<MirrorBenchConfig, 'rounds' | 'warmUp'>,
): SimulationConfig {
  const workload: MirrorBenchConfig = {
    kind: 'mirror-bench',
    name: 'bench',
    access,
    pages: BUFFER_PAGES,
    ...invalidations,
  };
  return { ...config, name: 'bench mirror', svm: { ...config.svm, layout }, workloads: [workload] };
}

interface CellRun {
  readonly report: RunReport;
  readonly counts: Readonly<Record<string, number>>;
  readonly observation: Observation;
}

async function runCell(
  config: SimulationConfig,
  workers: WorkerPool,
  signal: AbortSignal | undefined,
): Promise<CellRun> {
  const buffers = allocateBuffers(config);
  const options = { workers, ...(signal === undefined ? {} : { signal }) };
  const report = await runWithBuffers(config, buffers, options);
  const observation = new Observation(new ObserverBuffers(buffers.observer));
  return { report, counts: report.workloads[0]?.counts ?? {}, observation };
}

function timesOf(counts: Readonly<Record<string, number>>, rounds: number): MirrorTimes {
  const timesOf = (part: string): number[] =>
    Array.from({ length: rounds }, (_, round) => counts[`${part}${round}Ns`] ?? 0);
  return {
    firstAccessNs: counts.firstNs ?? 0,
    invalidateNs: timesOf('invalidate'),
    againNs: timesOf('again'),
  };
}

function isVerified(report: RunReport): boolean {
  return (
    report.failure === null &&
    report.workloads.every((workload) => workload.ok) &&
    report.checks.every((check) => check.ok)
  );
}
