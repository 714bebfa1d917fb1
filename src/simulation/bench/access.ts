/** Measures loads of devices: with the translation in the TLB, in the page table, or nowhere. */

import type { WarmedUp, WarmUp } from '../../base/steadyState.js';
import type { AccessBenchConfig } from '../../workload/workloadConfig.js';
import { makeSimulation } from '../makeSimulation.js';
import { rangeSizes } from '../rangeSizes.js';
import type { ExecutorName, SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import { countsOf, problemOf, samplesOf, warmedUpOf } from './benchCounts.js';
import { type BenchClocks, type BenchControl, type BenchStatus, measureEach } from './benchRun.js';

export const accessKinds = ['tlb', 'tlb-vram', 'table', 'miss'] as const;
/**
 * Where the translation is; `miss`: nowhere, so that each page faults once and is then loaded from. `tlb-vram` loads from the device's own memory, the
 * others from RAM, of which each load goes through the IOMMU as well.
 */
export type AccessKind = (typeof accessKinds)[number];

export interface AccessTimes extends WarmedUp {
  /** Of one device in one sample. */
  readonly loads: number;
  /** Until the last device is done, sample by sample. */
  readonly times: readonly number[];
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

interface Shape {
  /** Of a sample. */
  readonly loads: number;
  /** The pages are so many times what the TLB holds. */
  readonly tlbs: number;
  readonly placement: SimulationConfig['svm']['placement'];
  /** The cost model says how long a load takes. */
  readonly isModelled: boolean;
  /** Where loads are real. */
  readonly warmUp: WarmUp;
}

const WARM_UP: WarmUp = { roundsMin: 6, blockNs: 50e6, nsMax: 4e9 };
/** A fault runs through more code than any other load. */
const FAULT_WARM_UP: WarmUp = { ...WARM_UP, nsMin: 2e9, nsMax: 6e9 };
/** Modelled time needs none, but this machine's is told too. */
const SIMULATED_WARM_UP: WarmUp = { roundsMin: 8, roundsMax: 8 };
const SAMPLES_SIMULATED = 5;

const SHAPES: Readonly<Record<AccessKind, Shape>> = {
  tlb: { loads: 4_000_000, tlbs: 0.5, placement: 'system', isModelled: false, warmUp: WARM_UP },
  'tlb-vram': { loads: 4_000_000, tlbs: 0.5, placement: 'migrate', isModelled: false, warmUp: WARM_UP },
  table: { loads: 1_000_000, tlbs: 16, placement: 'system', isModelled: false, warmUp: WARM_UP },
  miss: { loads: 1024, tlbs: 16, placement: 'system', isModelled: true, warmUp: FAULT_WARM_UP },
};
/** Of what is loaded from it: nothing has to leave, be it in use or on its way. */
const VRAM_ROOM = 4;

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
    const options = { workers, ...(signal === undefined ? {} : { signal }) };
    const report = await makeSimulation(accessMachine(config, variant, executor, samples)).run(options);
    problems.push(problemOf(report, 'sample'));
    const counts = countsOf(report);
    const times = samplesOf(counts, 'sample');
    const measured =
      times.length === 0 ? null : { loads: SHAPES[variant.kind].loads, times, ...warmedUpOf(counts) };
    return { measured, machineTimes: samplesOf(counts, 'wall') };
  };
  const { isModelled } = SHAPES[variant.kind];
  if (!clocks.wall && !isModelled) {
    const nothing = { wall: null, simulated: null, virtualTimes: [] };
    return { ...variant, ...nothing, status: 'Waived', reason: 'is not modelled' };
  }
  const wall = clocks.wall ? await run('threads') : null;
  const isCut = signal?.aborted === true;
  const model = clocks.simulated && isModelled && !isCut ? await run('virtual') : null;
  const problem = problems.find((text) => text !== null) ?? null;
  return {
    ...variant,
    status: problem === null ? 'Passed' : 'Error',
    reason: problem ?? '',
    wall: wall?.measured ?? null,
    simulated: model?.measured ?? null,
    virtualTimes: clocks.wall ? (model?.machineTimes ?? []) : [],
  };
}

/** What a variant is measured on. */
export function accessMachine(
  config: SimulationConfig,
  { kind, devices }: AccessVariant,
  executor: ExecutorName,
  samples: number,
): SimulationConfig {
  const { placement } = SHAPES[kind];
  const workload = workloadFor(config, { kind, devices }, executor, samples);
  const vramPages =
    placement === 'migrate'
      ? Math.max(config.device.vramPages, VRAM_ROOM * workload.pages)
      : config.device.vramPages;
  return {
    ...config,
    name: 'bench access',
    executor,
    deviceCount: devices,
    device: { ...config.device, vramPages },
    // Of a longer range the first load alone would fault.
    svm: { ...config.svm, placement, ...(kind === 'miss' ? { chunkPages: rangeSizes(1) } : {}) },
    workloads: [workload],
  };
}

function workloadFor(
  { device }: SimulationConfig,
  { kind, devices }: AccessVariant,
  executor: ExecutorName,
  samples: number,
): AccessBenchConfig {
  const { loads, tlbs, placement, warmUp } = SHAPES[kind];
  const pages = Math.max(1, Math.floor(device.tlbEntries * tlbs));
  return {
    kind: 'access-bench',
    name: 'bench',
    pages: kind === 'miss' ? loads : pages,
    loads,
    // What is in the memory of one device is not in that of another.
    parts: placement === 'migrate' ? devices : 1,
    faults: kind === 'miss',
    samples: executor === 'virtual' ? SAMPLES_SIMULATED : samples,
    warmUp: executor === 'virtual' ? SIMULATED_WARM_UP : warmUp,
  };
}
