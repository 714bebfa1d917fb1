/** A process and a simulator that exist only as far as a command can see. */

import type { Case } from '../../src/case/caseSchema.js';
import type { CasePool, CliHost, Screen, Simulator, SweepPool, SweepTask } from '../../src/cli/cliHost.js';
import { runBlock } from '../../src/explore/block.js';
import { withOwnCode } from '../../src/explore/ownCode.js';
import { checkFile } from '../../src/scenario/checkFile.js';
import { editorSchema } from '../../src/scenario/editorSchema.js';
import type { ScenarioOverrides } from '../../src/scenario/overrides.js';
import type { AccessCell, AccessOptions } from '../../src/simulation/bench/access.js';
import type { BenchControl } from '../../src/simulation/bench/benchRun.js';
import type { CalibrateBenchOptions, CalibrateCell } from '../../src/simulation/bench/calibrate.js';
import type { EngineCell, EngineOptions } from '../../src/simulation/bench/engine.js';
import type { FaultCell, FaultOptions } from '../../src/simulation/bench/fault.js';
import type { InvalidateCell, InvalidateOptions } from '../../src/simulation/bench/invalidate.js';
import type { LookupCell, LookupOptions } from '../../src/simulation/bench/lookup.js';
import type { MigrateCell, MigrateOptions } from '../../src/simulation/bench/migrate.js';
import type { MirrorCell, MirrorOptions } from '../../src/simulation/bench/mirror.js';
import { figureOf } from '../../src/simulation/calibrate/figures.js';
import type { CaseReport } from '../../src/simulation/case/caseReport.js';
import type { CaseOptions } from '../../src/simulation/case/runCase.js';
import type { RunOptions } from '../../src/simulation/runOptions.js';
import type { RunReport } from '../../src/simulation/runReport.js';
import type { SimulationConfig } from '../../src/simulation/simulationConfig.js';
import { requireCheckers } from '../../src/simulation/withChecks.js';
import { refusePrograms, withModulePrograms } from '../../src/simulation/withPrograms.js';
import { environment, migrateCell, runReport, simulationConfig } from '../report/fixtures.js';

export class FakeTerminal {
  text = '';
  isTTY = false;
  columns = 100;
  write(text: string): void {
    this.text += text;
  }
}

/** Measures nothing, and tells of the cells that a test wants. */
type FakeBench<Cell> = (control: BenchControl<Cell>) => Promise<void>;

/** Each part can be replaced by a test; what commands asked for is kept. */
export class FakeHost implements CliHost {
  readonly version = '9.9.9';
  readonly stdout = new FakeTerminal();
  readonly stderr = new FakeTerminal();
  readonly variables: Record<string, string> = {};
  readonly loaded: { path: string; overrides: ScenarioOverrides }[] = [];
  readonly runs: { config: SimulationConfig; options: RunOptions }[] = [];
  readonly benches: MigrateOptions[] = [];
  readonly lookups: LookupOptions[] = [];
  readonly mirrors: MirrorOptions[] = [];
  readonly faults: FaultOptions[] = [];
  readonly invalidations: InvalidateOptions[] = [];
  readonly accesses: AccessOptions[] = [];
  readonly engines: EngineOptions[] = [];
  readonly calibrations: CalibrateBenchOptions[] = [];
  readonly swept: SweepTask[] = [];
  poolJobs = 0;
  poolsOpen = 0;
  freeRuns = 8;
  config: SimulationConfig = simulationConfig();
  private readonly controller = new AbortController();
  private onInterrupt = (): void => {};

  /** Runs that take no time and hold; tests put others in their place. */
  run = async (_config: SimulationConfig, _options: RunOptions): Promise<RunReport> => runReport();
  bench: FakeBench<MigrateCell> = async ({ onCell }) => onCell?.(migrateCell());
  lookup: FakeBench<LookupCell> = async ({ onCell }) => onCell?.(lookupCell());
  calibrate: FakeBench<CalibrateCell> = async ({ onCell }) => onCell?.(calibrateCell());
  mirror: FakeBench<MirrorCell> = async ({ onCell }) => onCell?.(mirrorCell());
  sweep = async (seed: number, _signal: AbortSignal): Promise<RunReport> =>
    runReport({ executor: 'virtual', seed, simulatedNs: 1000 });
  load = (_path: string, { executor }: ScenarioOverrides): SimulationConfig =>
    executor === 'virtual' ? { ...this.config, executor } : this.config;
  cases: Case[] = [];
  loadCases = (_paths: readonly string[]): Case[] => this.cases;
  runCase = async (one: Case, _options: CaseOptions): Promise<CaseReport> => passed(one);
  check = (_config: SimulationConfig): void => {};

  readonly simulator: Simulator = {
    loadScenario: (path, overrides) => {
      this.loaded.push({ path, overrides });
      return this.load(path, overrides);
    },
    checkMachine: (config) => this.check(config),
    withPrograms: withModulePrograms,
    refusePrograms,
    runsThatFit: () => this.freeRuns,
    makeSimulation: async (config) => ({
      run: async (options = {}) => {
        this.runs.push({ config, options });
        return this.run(config, options);
      },
    }),
    bench: {
      migrate: async (_config, options) => {
        this.benches.push(options);
        await this.bench(options);
        return [];
      },
      fault: async (_config, { onCell, ...options }) => {
        this.faults.push(options);
        onCell?.(faultCell());
        return [];
      },
      invalidate: async (_config, { onCell, ...options }) => {
        this.invalidations.push(options);
        onCell?.(invalidateCell());
        return [];
      },
      access: async (_config, { onCell, ...options }) => {
        this.accesses.push(options);
        onCell?.(accessCell());
        return [];
      },
      engine: async (_config, { onCell, ...options }) => {
        this.engines.push(options);
        onCell?.(engineCell());
        return [];
      },
      lookup: async (_config, options) => {
        this.lookups.push(options);
        await this.lookup(options);
        return [];
      },
      mirror: async (_config, options) => {
        this.mirrors.push(options);
        await this.mirror(options);
        return [];
      },
      calibrate: async (_config, options) => {
        this.calibrations.push(options);
        await this.calibrate(options);
        return [];
      },
    },
    openSweepPool: async (jobs) => this.openPool(jobs),
    loadCases: async (paths) => this.loadCases(paths),
    checkCheckers: async (checks, executor) => requireCheckers(checks, executor),
    runCase: async (one, options) => this.runCase(one, options),
    checkFile: async (path, kind) => checkFile(path, kind),
    editorSchema: async (kind) => editorSchema(kind),
    openCasePool: async (jobs) => this.openCasePool(jobs),
    openExplorePool: async () => ({
      run: async ({ block, stopAtFirst }) =>
        runBlock({ ...block, target: await withOwnCode(block.target) }, stopAtFirst),
      close: async () => {},
    }),
  };

  environment(): typeof environment {
    return environment;
  }

  /** What each question about stolen time is answered. */
  stolen: number[] = [];

  /** Null: there is no terminal. */
  terminal: Screen | null = null;
  /** Those who want to hear of questions. */
  readonly questioned = new Set<() => void>();

  screen(): Screen | null {
    return this.terminal;
  }

  onQuestion(listener: () => void): () => void {
    this.questioned.add(listener);
    return () => this.questioned.delete(listener);
  }

  nowMs(): number {
    return 1000;
  }

  stolenMs(): number | null {
    return this.stolen.shift() ?? null;
  }

  async interruptible<T>(work: (signal: AbortSignal) => Promise<T>, onInterrupt: () => void): Promise<T> {
    this.onInterrupt = onInterrupt;
    return work(this.controller.signal);
  }

  /** The first Ctrl-C. */
  interrupt(): void {
    this.onInterrupt();
    this.controller.abort();
  }

  private openCasePool(jobs: number): CasePool {
    this.poolJobs = jobs;
    this.poolsOpen++;
    return {
      run: async ({ one, options }, signal) => this.runCase(one, { ...options, signal }),
      close: async () => {
        this.poolsOpen--;
      },
    };
  }

  private openPool(jobs: number): SweepPool {
    this.poolJobs = jobs;
    this.poolsOpen++;
    return {
      run: async (task, signal) => {
        this.swept.push(task);
        return this.sweep(Number(task.overrides.seed), signal);
      },
      close: async () => {
        this.poolsOpen--;
      },
    };
  }
}

/** The report of a case of which everything holds. */
export function passed({ suite, name, variant }: Case): CaseReport {
  const head = { suite, name, variant: variant ?? null, problems: [], missing: null };
  return { ...head, status: 'pass', verifications: 1, wallMs: 2 };
}

/** What a signal that is aborted makes of the operation that was given it. */
export function abortError(): Error {
  return Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
}

/** A million ranges, looked up in 200 ns each. */
export function lookupCell(changed: Partial<LookupCell> = {}): LookupCell {
  const times = [190, 200, 240];
  const warmedUp = { warmups: 9, isSteady: true };
  return { name: 'range', entries: 1_000_000, times, ratio: 2, verified: true, ...warmedUp, ...changed };
}

/** 64 faults under way, 100,000 a second, half as many as the kernel of the machine. */
export function faultCell(changed: Partial<FaultCell> = {}): FaultCell {
  const latency = {
    count: 3000,
    meanNs: 520_000,
    p50Ns: 500_000,
    p90Ns: 600_000,
    p99Ns: 700_000,
    p999Ns: 800_000,
    maxNs: 900_000,
  };
  const times = {
    ranges: 1000,
    faults: 1000,
    times: [9e6, 10e6, 11e6],
    latency,
    warmups: 12,
    isSteady: true,
  };
  return {
    pages: 'present',
    rangeBytes: 4096,
    outstanding: 64,
    status: 'Passed',
    reason: '',
    wall: times,
    simulated: { ...times, times: [20e6] },
    virtualTimes: [5e6],
    kernel: { times: [5000, 5000, 5000], reason: '' },
    ...changed,
  };
}

/** Eight devices that have each 64 KiB mapped. */
export function invalidateCell(changed: Partial<InvalidateCell> = {}): InvalidateCell {
  const partsNs = { host: 30_000, lockWait: 0, devices: 70_000 };
  return {
    event: 'protect',
    spanBytes: 65_536,
    devices: 8,
    rate: 0,
    overlap: null,
    status: 'Passed',
    reason: '',
    wall: {
      latency: {
        count: 1080,
        meanNs: 102_000,
        p50Ns: 100_000,
        p90Ns: 110_000,
        p99Ns: 150_000,
        p999Ns: 190_000,
        maxNs: 200_000,
      },
      calls: [120_000, 130_000, 140_000],
      warmups: 400,
      split: { count: 5, wholeNs: 100_000, partsNs },
      isSteady: true,
    },
    simulated: null,
    ...changed,
  };
}

export function accessCell(changed: Partial<AccessCell> = {}): AccessCell {
  const wall = { loads: 4_000_000, times: [100e6, 100e6, 110e6], warmups: 6, isSteady: true };
  return {
    kind: 'tlb',
    devices: 1,
    status: 'Passed',
    reason: '',
    wall,
    simulated: null,
    virtualTimes: [],
    ...changed,
  };
}

export function engineCell(changed: Partial<EngineCell> = {}): EngineCell {
  const times = [100e6, 100e6, 100e6];
  return {
    executor: 'virtual',
    part: 'steps',
    status: 'Passed',
    reason: '',
    count: 400_000,
    times,
    warmups: 9,
    isSteady: true,
    ...changed,
  };
}

/** Eight devices, one HMM fault for all. */
export function mirrorCell(changed: Partial<MirrorCell> = {}): MirrorCell {
  const times = { firstAccessNs: 1000, invalidateNs: [200], againNs: [900] };
  return {
    name: 'n1-shared-fault/8/shared',
    layout: 'n1-shared-fault',
    devices: 8,
    access: 'shared',
    callbacksPerInvalidation: 2,
    hmmWalks: 64,
    hmmPages: 1024,
    ranges: 64,
    notifiers: 2,
    pagesObjects: 512,
    dmaMaps: 8192,
    dmaMapsUnused: 0,
    metadataBytes: 100_000,
    simulated: times,
    wall: null,
    verified: true,
    ...changed,
  };
}

/** 16GB/s published, 4% more in the model. */
export function calibrateCell(changes: Partial<CalibrateCell> = {}): CalibrateCell {
  return {
    preset: 'xe-bmg',
    figure: 'xe-copy-2m',
    about: figureOf('xe-copy-2m'),
    model: 16.64,
    residual: 0.04,
    ownEngines: null,
    fitted: ['host-link'],
    basis: 'fitted',
    status: 'met',
    notMet: null,
    ...changes,
  };
}
