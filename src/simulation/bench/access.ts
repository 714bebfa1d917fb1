/** Measures loads of devices: with the translation in the TLB, in the page table, or nowhere. */

import type { AccessBenchConfig } from '../../workload/workloadConfig.js';
import { makeSimulation } from '../makeSimulation.js';
import type { ExecutorName, SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { countsOf, problemOf, samplesOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, type BenchStatus, measureEach } from './benchRun.js';

export const accessKinds = ['tlb', 'table', 'miss'] as const;
/** Where the translation is; `miss`: nowhere, so that each page faults once and is then loaded from. */
export type AccessKind = (typeof accessKinds)[number];

export interface AccessTimes {
  /** Of one device in one sample. */
  readonly loads: number;
  /** Until the last device is done, sample by sample. */
  readonly times: readonly number[];
  readonly warmups: number;
  readonly isSteady: boolean;
}

export interface AccessVariant {
  readonly kind: AccessKind;
  readonly devices: number;
}

export interface AccessCell extends AccessVariant {
  readonly status: BenchStatus;
  readonly reason: string;
  readonly wall: AccessTimes | null;
  readonly simulated: AccessTimes | null;
  /** This machine's times under `virtual`. */
  readonly virtualTimes: readonly number[];
}

export interface AccessOptions {
  readonly variants: readonly AccessVariant[];
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/** Loads of a sample, how many times the TLB the pages are, and whether the cost model says how long a load takes. */
interface Shape {
  readonly loads: number;
  readonly tlbs: number;
  readonly isModelled: boolean;
}

const SHAPES: Readonly<Record<AccessKind, Shape>> = {
  tlb: { loads: 4_000_000, tlbs: 0.5, isModelled: false },
  table: { loads: 1_000_000, tlbs: 16, isModelled: false },
  miss: { loads: 1024, tlbs: 16, isModelled: true },
};
const WARMUPS_WALL = { min: 6, max: 30 } as const;
const WARMUPS_SIMULATED = { min: 1, max: 1 } as const;

export function runBenchAccess(
  config: SimulationConfig,
  options: AccessOptions & BenchControl<AccessCell>,
): Promise<AccessCell[]> {
  const workers = new WorkerPool(config.policyFile !== undefined);
  return measureEach(options.variants, options, (variant) => measureCell(config, variant, options, workers));
}

async function measureCell(
  config: SimulationConfig,
  variant: AccessVariant,
  { samples, clocks, signal }: AccessOptions & BenchControl<AccessCell>,
  workers: WorkerPool,
): Promise<AccessCell> {
  const problems: (string | null)[] = [];
  const run = async (executor: ExecutorName) => {
    const workload = workloadFor(config, variant.kind, executor, samples);
    const svm = { ...config.svm, placement: 'system' } as const;
    const machine = { ...config, name: 'bench access', executor, deviceCount: variant.devices, svm };
    const options = { workers, ...(signal === undefined ? {} : { signal }) };
    const report = await makeSimulation({ ...machine, workloads: [workload] }).run(options);
    problems.push(problemOf(report, 'sample'));
    const counts = countsOf(report);
    const times = samplesOf(counts, 'sample');
    const { warmups = 0, steady = 0 } = counts;
    const measured =
      times.length === 0 ? null : { loads: workload.loads, times, warmups, isSteady: steady === 1 };
    return { measured, machineTimes: samplesOf(counts, 'wall') };
  };
  const { isModelled } = SHAPES[variant.kind];
  if (!clocks.wall && !isModelled) {
    const nothing = { wall: null, simulated: null, virtualTimes: [] };
    return { ...variant, ...nothing, status: 'Waived', reason: 'is not modelled' };
  }
  const wall = clocks.wall ? await run('threads') : null;
  const model = clocks.simulated && isModelled ? await run('virtual') : null;
  const problem = problems.find((text) => text !== null) ?? null;
  return {
    ...variant,
    status: problem === null ? 'Passed' : 'Error',
    reason: problem ?? '',
    wall: wall?.measured ?? null,
    simulated: model?.measured ?? null,
    virtualTimes: model?.machineTimes ?? [],
  };
}

function workloadFor(
  { device }: SimulationConfig,
  kind: AccessKind,
  executor: ExecutorName,
  samples: number,
): AccessBenchConfig {
  const { loads, tlbs } = SHAPES[kind];
  const pages = Math.max(1, Math.floor(device.tlbEntries * tlbs));
  return {
    kind: 'access-bench',
    name: 'bench',
    pages: kind === 'miss' ? loads : pages,
    loads,
    faults: kind === 'miss',
    samples,
    warmups: executor === 'virtual' ? WARMUPS_SIMULATED : WARMUPS_WALL,
  };
}
