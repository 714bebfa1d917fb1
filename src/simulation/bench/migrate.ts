/** Measures migration between RAM and every device and between devices, one cell for each pair, way and size. */

import { PAGE_BYTES } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import { ObserverBuffers } from '../../observe/actorObserver.js';
import { Observation } from '../../observe/observation.js';
import type { StepId } from '../../sim/steps.js';
import { BENCH_RAM } from '../../workload/migrateBench.js';
import type { MigrateBenchConfig } from '../../workload/workloadConfig.js';
import { runWithBuffers } from '../makeSimulation.js';
import type { RunReport } from '../runReport.js';
import { allocateBuffers } from '../sharedBuffers.js';
import { LIMITS, type SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import type { BenchClocks, BenchControl } from './benchRun.js';

export const migratePaths = ['ram-to-vram', 'vram-to-ram', 'peer', 'bounce'] as const;
/** `peer`: from device to device directly; `bounce`: through RAM. */
export type MigratePath = (typeof migratePaths)[number];

/** Of one clock. */
export interface MigrateTimes {
  /** What one sample moved. */
  readonly bytes: number;
  /** Sample by sample. */
  readonly times: readonly number[];
  /** Of plain copies with `copyWithin` of as many bytes in pieces of the same size, made alternately; none where time is modelled. */
  readonly copies: readonly number[];
}

export interface MigrateCell {
  /** Unique within a run of the benchmark. */
  readonly name: string;
  /** `ram`, `gpu0`, ... */
  readonly source: string;
  readonly destination: string;
  readonly path: MigratePath;
  readonly sizeBytes: number;
  /** Of this machine; null where it was not asked for. */
  readonly wall: MigrateTimes | null;
  /** Of the cost model; null where it was not asked for. */
  readonly simulated: MigrateTimes | null;
  /** Every byte arrived. */
  readonly verified: boolean;
  readonly status: 'Passed' | 'Error';
  /** Mean wall nanoseconds of one migration by phase. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface MigrateOptions {
  /** Each a multiple of the page size. */
  readonly sizesBytes: readonly number[];
  /** Per cell, at least one. */
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/** A sample moves about this many migrations, within bounds: enough to steady the figure, not so many that small sizes take minutes. */
const REGIONS = {
  threads: { migrations: 256, bytesMin: 4 * 2 ** 20, bytesMax: 64 * 2 ** 20 },
  // Modelled time does not fluctuate, so a few migrations tell as much as many.
  virtual: { migrations: 32, bytesMin: 2 ** 20, bytesMax: 8 * 2 ** 20 },
} as const;
const WARMUPS_WALL = 60;
/** Warm-up ends after this long at the latest: the first cell has everything compiled, later ones run in its workers. */
const FIRST_WARMUP_NS = 10e9;
const LATER_WARMUP_NS = 2e9;
const WARMUPS_SIMULATED = 1;
const BYTES_PER_CHUNK_MAX = LIMITS.chunkPagesMax * PAGE_BYTES;

interface Route {
  readonly path: MigratePath;
  readonly source: number;
  readonly destination: number;
}

/**
 * One simulation per cell and clock, so that cells cannot influence one another: wall figures from the threads executor, simulated ones
 * from the virtual executor with the same program.
 */
export async function runBenchMigrate(
  config: SimulationConfig,
  options: MigrateOptions & BenchControl<MigrateCell>,
): Promise<MigrateCell[]> {
  const cells: MigrateCell[] = [];
  const workers = new WorkerPool(config.policyFile !== undefined);
  for (const sizeBytes of options.sizesBytes) {
    for (const route of routes(config.deviceCount)) {
      if (options.signal?.aborted) return cells;
      const warmupNs = cells.length === 0 ? FIRST_WARMUP_NS : LATER_WARMUP_NS;
      const cell = await measureCell(config, route, sizeBytes, options, { workers, warmupNs });
      cells.push(cell);
      options.onCell?.(cell);
    }
  }
  return cells;
}

/** Every pair that is measured, by the names of its memories. */
export function migrateRoutes(devices: number): Pick<MigrateCell, 'path' | 'source' | 'destination'>[] {
  return routes(devices).map(({ path, source, destination }) => ({
    path,
    source: memoryName(source),
    destination: memoryName(destination),
  }));
}

/** RAM to and from every device, and every pair of devices both ways, directly and through RAM. */
function routes(devices: number): Route[] {
  const all: Route[] = [];
  for (let device = 0; device < devices; device++) {
    all.push({ path: 'ram-to-vram', source: BENCH_RAM, destination: device });
    all.push({ path: 'vram-to-ram', source: device, destination: BENCH_RAM });
  }
  for (const path of ['peer', 'bounce'] as const) {
    for (let source = 0; source < devices; source++) {
      for (let destination = 0; destination < devices; destination++) {
        if (source !== destination) all.push({ path, source, destination });
      }
    }
  }
  return all;
}

interface CellSetup {
  readonly workers: WorkerPool;
  readonly warmupNs: number;
}

async function measureCell(
  config: SimulationConfig,
  route: Route,
  sizeBytes: number,
  { samples, clocks }: MigrateOptions,
  { workers, warmupNs }: CellSetup,
): Promise<MigrateCell> {
  const run = (count: number, warmNs: number | null): Promise<CellRun> =>
    runCell(cellConfig(config, route, sizeBytes, count, warmNs), workers);
  const wall = clocks.wall ? await run(samples, warmupNs) : null;
  const model = clocks.simulated ? await run(1, null) : null;
  const runs = [wall, model].filter((one) => one !== null);
  const verified = runs.every(({ report }) => isVerified(report));
  const measured = runs.every(({ report }) => countsOf(report, 'sample').length > 0);
  return {
    name: `${route.path}/${memoryName(route.source)}-${memoryName(route.destination)}/${sizeBytes}`,
    source: memoryName(route.source),
    destination: memoryName(route.destination),
    path: route.path,
    sizeBytes,
    wall: timesOf(wall, regionPagesFor(config, sizeBytes, 'threads')),
    simulated: timesOf(model, regionPagesFor(config, sizeBytes, 'virtual')),
    verified,
    status: verified && measured ? 'Passed' : 'Error',
    phases: wall?.phases ?? {},
  };
}

/** Null without a run, or where it ended before its first sample. */
function timesOf(run: CellRun | null, regionPages: number): MigrateTimes | null {
  const times = run === null ? [] : countsOf(run.report, 'sample');
  if (run === null || times.length === 0) return null;
  return { bytes: regionPages * PAGE_BYTES, times, copies: countsOf(run.report, 'memcpy') };
}

/** Under `virtual` where there is no time to warm up for, else under `threads`. */
function cellConfig(
  config: SimulationConfig,
  route: Route,
  sizeBytes: number,
  samples: number,
  warmupNs: number | null,
): SimulationConfig {
  const executor = warmupNs === null ? 'virtual' : 'threads';
  const chunkBytes = Math.min(sizeBytes, BYTES_PER_CHUNK_MAX);
  const chunkPages = [chunkBytes / PAGE_BYTES, 1].filter((pages, i, all) => all.indexOf(pages) === i);
  const workload: MigrateBenchConfig = {
    kind: 'migrate-bench',
    name: 'bench',
    source: route.source,
    destination: route.destination,
    sizeBytes,
    regionPages: regionPagesFor(config, sizeBytes, executor),
    ...(warmupNs === null ? { warmups: WARMUPS_SIMULATED } : { warmups: WARMUPS_WALL, warmupNs }),
    samples,
    measuresCopy: executor === 'threads',
  };
  const interconnect = route.path === 'bounce' ? 'none' : 'peer';
  const svm = { ...config.svm, chunkPages, interconnect, timesliceUs: 0, placement: 'migrate' } as const;
  return { ...config, name: 'bench migrate', executor, svm, workloads: [workload] };
}

/** As much as steadies the figure, and as the devices can hold. */
function regionPagesFor(
  config: SimulationConfig,
  sizeBytes: number,
  executor: SimulationConfig['executor'],
): number {
  const { migrations, bytesMin, bytesMax } = REGIONS[executor];
  const holdsBytes = config.device.vramPages * PAGE_BYTES;
  const manyBytes = Math.min(bytesMax, Math.max(bytesMin, migrations * sizeBytes));
  const wantedBytes = Math.max(sizeBytes, Math.min(manyBytes, holdsBytes));
  return (Math.floor(wantedBytes / sizeBytes) * sizeBytes) / PAGE_BYTES;
}

interface CellRun {
  readonly report: RunReport;
  readonly phases: Record<string, number>;
}

async function runCell(config: SimulationConfig, workers: WorkerPool): Promise<CellRun> {
  const buffers = allocateBuffers(config);
  const report = await runWithBuffers(config, buffers, { workers });
  const observation = new Observation(new ObserverBuffers(buffers.observer));
  return { report, phases: phasesOf(observation) };
}

/** Mean time of one migration in its parts. Parts of several migrations in flight overlap, so they add up to more than the whole. */
function phasesOf(observation: Observation): Record<string, number> {
  const mean = (step: StepId): number => {
    const count = observation.count(step);
    return count === 0 ? 0 : observation.sum(step, 'ns') / count;
  };
  return {
    collectAndUnmap: mean(PagemapStep.collected),
    copy: mean(PagemapStep.copied),
    wholeToDevice: mean(PagemapStep.toDevmemDone),
    wholeToRam: mean(PagemapStep.toRamDone),
    invalidate: mean(NotifierStep.invStarted),
  };
}

function countsOf(report: RunReport, prefix: string): number[] {
  const counts = Object.entries(report.workloads[0]?.counts ?? {});
  return counts.filter(([name]) => name.startsWith(prefix)).map(([, value]) => value);
}

function isVerified(report: RunReport): boolean {
  return (
    report.failure === null &&
    report.workloads.every((workload) => workload.ok) &&
    report.checks.every((check) => check.ok)
  );
}

function memoryName(device: number): string {
  return device === BENCH_RAM ? 'ram' : `gpu${device}`;
}
