/** Measures migration between RAM and every device and between devices: one cell for each test, size, size of ranges, and with or without a storm. */

import { assert } from '../../base/assert.js';
import type { WarmedUp, WarmUp } from '../../base/steadyState.js';
import { PAGE_BYTES } from '../../base/units.js';
import type { Trace } from '../../observe/trace/trace.js';
import { BENCH_RAM } from '../../workload/bench/migrateBench.js';
import type { MigrateBenchConfig, MigrateFlow } from '../../workload/workloadConfig.js';
import { makeSimulation } from '../makeSimulation.js';
import { rangeSizes } from '../rangeSizes.js';
import type { RunReport } from '../runReport.js';
import type { PooledRunOptions } from '../simulation.js';
import { type ExecutorName, LIMITS, type SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { countsOf, pagesOf, problemOf, samplesOf, warmedUpOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, type BenchStatus, measureEach } from './benchRun.js';
import { type FlowGroup, type MigrateTestName, migrateTests } from './migrateTests.js';
import { type PhaseSplit, phaseSplit } from './phaseSplit.js';

export const migratePaths = ['ram-to-vram', 'vram-to-ram', 'peer', 'bounce', 'local'] as const;
/** `peer`: from device to device directly; `bounce`: through RAM; `local`: within a device. */
export type MigratePath = (typeof migratePaths)[number];

/** What was moved in the samples of one group of flows, all flows together. */
export interface MigrateTotals {
  /** What all samples together were to bring to its destination. */
  readonly wantedBytes: number;
  /** Of these, what lay there after each sample and not before it. */
  readonly goodBytes: number;
  /** Bytes that devices copied for it, those of a second leg through RAM too. */
  readonly rawBytes: number;
  /** Rounds of faults and mappings of ranges that had to begin again, and prefetches that were asked for once more, since something had stayed behind. */
  readonly retries: number;
  /** What those prefetches had left where it was. */
  readonly stayedBytes: number;
  /** What still was not there when the program had asked often enough. */
  readonly givenUpBytes: number;
  /** Migrations that came to nothing, and their size. */
  readonly failed: number;
  readonly failedBytes: number;
  /** Invalidations of a storm. */
  readonly storms: number;
}

/** Of one clock. */
export interface MigrateTimes extends WarmedUp {
  /** What arrived in this flow, sample by sample. */
  readonly bytes: readonly number[];
  /** Sample by sample. */
  readonly times: readonly number[];
  /**
   * For each sample: what as many bytes as arrived in all flows of the group take with plain copies in pieces of the same size, on as many threads as
   * copied for them, over the time until the last flow had ended. Empty where time is modelled.
   */
  readonly memcpyRatios: readonly number[];
}

export interface MigrateFlowResult {
  /** `ram`, `gpu0`, ... */
  readonly source: string;
  readonly destination: string;
  readonly path: MigratePath;
  /** The same for those that moved at the same time. */
  readonly group: number;
  readonly wall: MigrateTimes | null;
  readonly simulated: MigrateTimes | null;
}

/** What is measured, and how. */
export interface MigrateVariant {
  readonly test: MigrateTestName;
  readonly sizeBytes: number;
  /** Of the ranges that migrate; at most the size. */
  readonly rangeBytes: number;
  readonly storm: boolean;
  /** Ranges side by side migrate in one call, as with amdgpu and nouveau; otherwise each in one of its own, as with xe. */
  readonly joined: boolean;
}

export interface MigrateCell extends MigrateVariant {
  readonly status: BenchStatus;
  /** Why it is waived, or what went wrong; empty where it passed. */
  readonly reason: string;
  /** Every byte is what it was; whether all arrived, the totals say. */
  readonly verified: boolean;
  readonly flows: readonly MigrateFlowResult[];
  /** By clock. */
  readonly totals: { readonly wall: MigrateTotals | null; readonly simulated: MigrateTotals | null };
  /** Of one migration after another, in a run of its own. */
  readonly phases: { readonly wall: PhaseSplit | null; readonly simulated: PhaseSplit | null };
}

export interface MigrateOptions {
  readonly variants: readonly MigrateVariant[];
  /** Per cell, at least one. */
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/**
 * A sample moves about this many migrations, within bounds: enough to steady the figure, and that the first and the last of those under way weigh
 * little, not so many that small sizes take minutes. Where ranges are joined, what migrates at once is larger than they are.
 */
const REGIONS = {
  threads: { migrations: 256, bytesMin: 2 * 2 ** 20, joinedBytesMin: 32 * 2 ** 20, bytesMax: 128 * 2 ** 20 },
  virtual: { migrations: 256, bytesMin: 2 ** 19, joinedBytesMin: 8 * 2 ** 20, bytesMax: 32 * 2 ** 20 },
} as const;
/** Unless the scenario says how much migrates together. */
const JOINED_BYTES = 2 ** 21;
/**
 * Ranges in flight at once for each flow: the host works on one while a device copies another. Under `threads` a few keep both busy, and more would
 * get in each other's way: the end of each invalidation wakes all that wait for it, of whom most find the next one running.
 */
const DEPTHS = { threads: 4, virtual: 16 } as const;
const WARM_UP: WarmUp = { roundsMin: 40, blockNs: 50e6 };
/** The first run has everything compiled, later ones run in its workers; short rounds look alike long before the compiler is done. */
const FIRST_WARM_UP: WarmUp = { ...WARM_UP, nsMin: 4e9, nsMax: 8e9 };
/** All later ones together may take so long, each within limits: few cells are warmed up longer than many. */
const LATER_WARM_UPS_NS = { all: 24e9, min: 1e9, max: 6e9 } as const;
/** On a machine that is so slow that samples take longer there are fewer of them. */
const SAMPLE_NS_MAX = 150e6;
const SAMPLES_SIMULATED = 1;
const SINGLE_WARM_UP: WarmUp = { roundsMin: 1, roundsMax: 1 };
/** Migrations of a round whose phases are looked at, one fault after another. */
const PHASE_MIGRATIONS = 24;
/** Faults run through code that no prefetch has warmed. */
const PHASE_WARM_UPS = {
  threads: { roundsMin: 60, roundsMax: 60, nsMax: 3e9 },
  virtual: SINGLE_WARM_UP,
} as const satisfies Record<ExecutorName, WarmUp>;
const STORM_PAUSE_NS = 20e3;
/** Of RAM, what the regions may fill. */
const RAM_SHARE = 0.75;
const BYTES_PER_CHUNK_MAX = LIMITS.chunkPagesMax * PAGE_BYTES;

export function runBenchMigrate(
  config: SimulationConfig,
  options: MigrateOptions & BenchControl<MigrateCell>,
): Promise<MigrateCell[]> {
  const bench = new MigrateMeasurement(config, options, new WorkerPool(config.policyFile !== undefined));
  return measureEach(options.variants, options, (variant) => bench.cell(variant));
}

/** Why a variant cannot be measured on a machine, in words; null if it can. */
export function migrateObstacle(
  config: SimulationConfig,
  { test, sizeBytes }: MigrateVariant,
): string | null {
  const { devicesMin, groups } = migrateTests[test];
  if (config.deviceCount < devicesMin) return `needs ${devicesMin} devices`;
  const room = Math.min(...groups(config.deviceCount).map(({ flows }) => roomFor(config, flows)));
  return sizeBytes <= room ? null : `needs more memory: its regions can be ${room} bytes at most`;
}

/** Of one flow's region, where regions of all flows have to fit at the same time, in RAM and in each device that they touch. */
function roomFor({ ramPages, device, deviceCount }: SimulationConfig, flows: readonly MigrateFlow[]): number {
  const isSingle = flows.length === 1;
  const ram = Math.floor((ramPages * (isSingle ? 1 : RAM_SHARE)) / flows.length);
  const most = Array.from({ length: deviceCount }, (_, index) => {
    const uses = ({ source, destination }: MigrateFlow): number =>
      Number(source === index) + Number(destination === index);
    const touching = flows.reduce((sum, flow) => sum + uses(flow), 0);
    return touching === 0 ? Number.POSITIVE_INFINITY : Math.floor(device.vramPages / touching);
  });
  return Math.min(ram, ...most) * PAGE_BYTES;
}

interface GroupRun {
  readonly report: RunReport;
  /** What each flow is to move in a sample. */
  readonly bytes: number;
  readonly flows: number;
}

/** Names of what is counted for each flow and sample. */
const FLOW = /^flow\d+\./;

/** One simulation per group of flows and clock, so that cells cannot influence one another: wall figures from `threads`, simulated ones from `virtual`. */
class MigrateMeasurement {
  private isFirst = true;

  constructor(
    private readonly config: SimulationConfig,
    private readonly options: MigrateOptions & BenchControl<MigrateCell>,
    private readonly workers: WorkerPool,
  ) {}

  async cell(variant: MigrateVariant): Promise<MigrateCell> {
    const { wall, simulated } = this.options.clocks;
    const nothing = {
      flows: [],
      totals: { wall: null, simulated: null },
      phases: { wall: null, simulated: null },
    };
    const obstacle = migrateObstacle(this.config, variant);
    if (obstacle !== null)
      return { ...variant, ...nothing, status: 'Waived', reason: obstacle, verified: true };
    const test = migrateTests[variant.test];
    if (!wall && !test.modelled)
      return { ...variant, ...nothing, status: 'Waived', reason: 'is not modelled', verified: true };
    const groups = test.groups(this.config.deviceCount);
    const walls = wall ? await this.groups(variant, groups, 'threads') : [];
    const models = simulated && test.modelled ? await this.groups(variant, groups, 'virtual') : [];
    const runs = [...walls, ...models];
    const problem =
      runs.map(({ report }) => problemOf(report, 'group')).find((text) => text !== null) ?? null;
    const flows = groups.flatMap((group, g) => resultsOf(variant.test, group, g, walls[g], models[g]));
    return {
      ...variant,
      status: problem === null ? 'Passed' : 'Error',
      reason: problem ?? '',
      verified: runs.every(({ report }) => isVerified(report)),
      flows,
      totals: { wall: totalsOf(walls), simulated: totalsOf(models) },
      phases: {
        wall: wall && problem === null ? await this.phases(variant, groups[0], 'threads') : null,
        simulated: simulated && problem === null ? await this.phases(variant, groups[0], 'virtual') : null,
      },
    };
  }

  private async groups(
    variant: MigrateVariant,
    groups: readonly FlowGroup[],
    executor: ExecutorName,
  ): Promise<GroupRun[]> {
    const runs: GroupRun[] = [];
    for (const group of groups) {
      if (this.options.signal?.aborted) return runs;
      const config = this.groupConfig(variant, group.flows, executor);
      runs.push({ report: await this.run(config), bytes: regionBytes(config), flows: group.flows.length });
      if (executor === 'threads') this.isFirst = false;
    }
    return runs;
  }

  /** Null where the code of a device copies: it does not migrate; and where ranges are joined: a fault joins none. */
  private async phases(
    variant: MigrateVariant,
    { flows: [flow] }: FlowGroup,
    executor: ExecutorName,
  ): Promise<PhaseSplit | null> {
    if (variant.joined || flow.source === flow.destination || this.options.signal?.aborted) return null;
    const config = this.groupConfig(variant, [flow], executor);
    const [workload] = config.workloads;
    assert(workload.kind === 'migrate-bench', 'another workload');
    const { rangePages, regionPages } = workload;
    const pages = Math.max(rangePages, Math.min(regionPages, PHASE_MIGRATIONS * rangePages));
    const single: MigrateBenchConfig = {
      ...workload,
      regionPages: Math.floor(pages / rangePages) * rangePages,
      byFault: true,
      samples: 2,
      measuresCopy: false,
      warmUp: PHASE_WARM_UPS[executor],
    };
    let trace: Trace | null = null;
    const onTrace = (recorded: Trace): void => {
      trace = recorded;
    };
    await makeSimulation({ ...config, trace: true, workloads: [single] }).run({
      ...this.runOptions,
      onTrace,
    });
    return trace === null ? null : phaseSplit(trace, deviceOf(flow.source), deviceOf(flow.destination));
  }

  private run(config: SimulationConfig): Promise<RunReport> {
    return makeSimulation(config).run(this.runOptions);
  }

  private get runOptions(): PooledRunOptions {
    const { signal } = this.options;
    return { workers: this.workers, ...(signal === undefined ? {} : { signal }) };
  }

  private wallWarmUp(): WarmUp {
    if (this.isFirst) return FIRST_WARM_UP;
    const { all, min, max } = LATER_WARM_UPS_NS;
    return { ...WARM_UP, nsMax: Math.min(max, Math.max(min, all / this.groupCount())) };
  }

  /** Runs that warm up, of all cells. */
  private groupCount(): number {
    const { variants } = this.options;
    const counts = variants.map(({ test }) => migrateTests[test].groups(this.config.deviceCount).length);
    return counts.reduce((sum, count) => sum + count, 0);
  }

  private groupConfig(
    variant: MigrateVariant,
    flows: readonly MigrateFlow[],
    executor: ExecutorName,
  ): SimulationConfig {
    const { config } = this;
    const { test, sizeBytes, rangeBytes, storm, joined } = variant;
    const isWall = executor === 'threads';
    const { samples } = this.options;
    const rangePages = Math.min(sizeBytes, rangeBytes, BYTES_PER_CHUNK_MAX) / PAGE_BYTES;
    const chunkPages = rangeSizes(rangePages);
    const workload: MigrateBenchConfig = {
      kind: 'migrate-bench',
      name: 'bench',
      flows,
      sizeBytes,
      rangePages,
      depth: DEPTHS[executor],
      regionPages: regionPagesFor(config, flows, variant, rangePages, executor),
      ...(isWall
        ? { warmUp: this.wallWarmUp(), samplesNs: samples * SAMPLE_NS_MAX }
        : { warmUp: SINGLE_WARM_UP }),
      samples: isWall ? samples : SAMPLES_SIMULATED,
      measuresCopy: isWall,
      ...(storm ? { stormNs: STORM_PAUSE_NS } : {}),
    };
    const interconnect = migrateTests[test].direct ? 'peer' : 'none';
    const togetherPages = joined ? config.svm.togetherPages || JOINED_BYTES / PAGE_BYTES : 0;
    const svm = {
      ...config.svm,
      chunkPages,
      interconnect,
      togetherPages,
      timesliceUs: 0,
      placement: 'migrate',
    } as const;
    return { ...config, name: 'bench migrate', executor, svm, workloads: [workload] };
  }
}

/** As much as steadies the figure, and as memory can hold. */
function regionPagesFor(
  config: SimulationConfig,
  flows: readonly MigrateFlow[],
  { sizeBytes, joined }: MigrateVariant,
  rangePages: number,
  executor: ExecutorName,
): number {
  const { migrations, bytesMin, joinedBytesMin, bytesMax } = REGIONS[executor];
  const leastBytes = joined ? joinedBytesMin : bytesMin;
  const manyBytes = Math.min(bytesMax, Math.max(leastBytes, migrations * rangePages * PAGE_BYTES));
  const wantedBytes = Math.max(sizeBytes, Math.min(manyBytes, roomFor(config, flows)));
  return (Math.floor(wantedBytes / sizeBytes) * sizeBytes) / PAGE_BYTES;
}

function regionBytes({ workloads: [workload] }: SimulationConfig): number {
  assert(workload.kind === 'migrate-bench', 'another workload');
  return workload.regionPages * PAGE_BYTES;
}

function resultsOf(
  test: MigrateTestName,
  { flows, counted }: FlowGroup,
  group: number,
  wall: GroupRun | undefined,
  model: GroupRun | undefined,
): MigrateFlowResult[] {
  return flows.slice(0, counted).map((flow, index) => ({
    source: memoryName(flow.source),
    destination: memoryName(flow.destination),
    path: pathOf(test, flow),
    group,
    wall: timesOf(wall, index),
    simulated: timesOf(model, index),
  }));
}

/** Null without a run, or where it ended before its first sample. */
function timesOf(run: GroupRun | undefined, flow: number): MigrateTimes | null {
  if (run === undefined) return null;
  const counts = countsOf(run.report);
  const times = samplesOf(counts, `flow${flow}.`);
  if (times.length === 0) return null;
  const groups = samplesOf(counts, 'group');
  const memcpyRatios = samplesOf(counts, 'memcpy').map(
    (ns, sample) => (ns * arrivedShare(run, sample)) / groups[sample],
  );
  const bytes = pagesOf(counts, `flow${flow}.`).map((pages) => pages * PAGE_BYTES);
  return { bytes, times, memcpyRatios, ...warmedUpOf(counts) };
}

/** Of what all flows were to bring in a sample. */
function arrivedShare({ report, bytes, flows }: GroupRun, sample: number): number {
  const arrived = pagesOf(countsOf(report), new RegExp(`^flow\\d+\\.${sample}Pages$`));
  return (arrived.reduce((sum, pages) => sum + pages, 0) * PAGE_BYTES) / (bytes * flows);
}

/** Null where nothing was run. */
function totalsOf(runs: readonly GroupRun[]): MigrateTotals | null {
  if (runs.length === 0) return null;
  const all = runs.map(({ report }) => countsOf(report));
  const sum = (of: (counts: Readonly<Record<string, number>>, run: number) => number): number =>
    all.reduce((total, counts, run) => total + of(counts, run), 0);
  const grown = (name: string): number => sum((counts) => counts[`total.${name}`] ?? 0);
  const copiedKb = ['4K', '64K', '2M'].flatMap((size) => [
    grown(`svm_${size}_device_copy_kb`),
    grown(`svm_${size}_cpu_copy_kb`),
  ]);
  return {
    wantedBytes: sum((counts, run) => samplesOf(counts, FLOW).length * runs[run].bytes),
    goodBytes: sum((counts) => pagesOf(counts, FLOW).reduce((pages, one) => pages + one, 0) * PAGE_BYTES),
    rawBytes: copiedKb.reduce((total, kb) => total + kb, 0) * 1024,
    retries:
      grown('svm_pagefault_retry_count') + grown('svm_get_pages_retry_count') + sum(({ asked = 0 }) => asked),
    stayedBytes: sum(({ stayedPages = 0 }) => stayedPages) * PAGE_BYTES,
    givenUpBytes: sum(({ givenUpPages = 0 }) => givenUpPages) * PAGE_BYTES,
    failed: grown('svm_migrate_fail_count'),
    failedBytes: grown('svm_migrate_fail_bytes'),
    storms: sum(({ storms = 0 }) => storms),
  };
}

function isVerified(report: RunReport): boolean {
  return (
    report.failure === null &&
    report.workloads.every((workload) => workload.ok) &&
    report.checks.every((check) => check.ok)
  );
}

function pathOf(test: MigrateTestName, { source, destination }: MigrateFlow): MigratePath {
  if (source === destination) return 'local';
  if (source === BENCH_RAM) return 'ram-to-vram';
  if (destination === BENCH_RAM) return 'vram-to-ram';
  return migrateTests[test].direct ? 'peer' : 'bounce';
}

function deviceOf(memory: number): number | null {
  return memory === BENCH_RAM ? null : memory;
}

function memoryName(device: number): string {
  return device === BENCH_RAM ? 'ram' : `gpu${device}`;
}
