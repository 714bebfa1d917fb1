/** What the command line needs of its process and of the simulator, so that tests can run commands without either. */

import type { Case } from '../case/caseSchema.js';
import type { BlockResult, BlockTask } from '../explore/block.js';
import type { EnvironmentVariables } from '../report/colors.js';
import type { Environment } from '../report/json.js';
import type { StatusOutput } from '../report/statusLine.js';
import type { CheckedFile } from '../scenario/checkFile.js';
import type { EditorSchema } from '../scenario/editorSchema.js';
import type { FileKind } from '../scenario/fileKind.js';
import type { ScenarioOverrides } from '../scenario/overrides.js';
import type { AccessCell, AccessOptions } from '../simulation/bench/access.js';
import type { BenchRun } from '../simulation/bench/benchRun.js';
import type { CalibrateBenchOptions, CalibrateCell } from '../simulation/bench/calibrate.js';
import type { EngineCell, EngineOptions } from '../simulation/bench/engine.js';
import type { FaultCell, FaultOptions } from '../simulation/bench/fault.js';
import type { InvalidateCell, InvalidateOptions } from '../simulation/bench/invalidate.js';
import type { LookupCell, LookupOptions } from '../simulation/bench/lookup.js';
import type { MigrateCell, MigrateOptions } from '../simulation/bench/migrate.js';
import type { MirrorCell, MirrorOptions } from '../simulation/bench/mirror.js';
import type { CaseReport } from '../simulation/case/caseReport.js';
import type { CaseOptions } from '../simulation/case/runCase.js';
import type { RunReport } from '../simulation/runReport.js';
import type { Simulation } from '../simulation/simulation.js';
import type { ExecutorName, PolicyIdentity, SimulationConfig } from '../simulation/simulationConfig.js';

export interface CliHost {
  readonly version: string;
  /** Results. */
  readonly stdout: StatusOutput;
  /** Progress and errors. */
  readonly stderr: StatusOutput;
  readonly variables: EnvironmentVariables;
  readonly simulator: Simulator;
  /** As it is now: memory use grows. */
  environment(): Environment;
  /** Wall time from some moment on. */
  nowMs(): number;
  /** How long others have had this machine's processors, all together, from some moment on; null where nobody tells. */
  stolenMs(): number | null;
  /** Calls `listener` whenever somebody asks with SIGUSR1 what is going on. The result stops that. */
  onQuestion(listener: () => void): () => void;
  /** Null where input or output is no terminal. */
  screen(): Screen | null;
  /** The first signal to stop aborts what `work` was given and calls `onInterrupt`; the second kills the process. */
  interruptible<T>(work: (signal: AbortSignal) => Promise<T>, onInterrupt: () => void): Promise<T>;
}

/** A terminal that is drawn on as a whole. */
export interface Screen {
  readonly size: { readonly columns: number; readonly rows: number };
  /** What was there before comes back with {@link close}. */
  open(): void;
  draw(lines: readonly string[]): void;
  close(): void;
  /** Hears of every key, as the terminal sends it. The result stops that. */
  onKey(listener: (key: string) => void): () => void;
}

/** The rooms below, as far as commands use them. */
export interface Simulator {
  /** @throws UserError */
  loadScenario(path: string, overrides: ScenarioOverrides): SimulationConfig;
  /** @throws UserError when the machine has not enough memory for one run. */
  checkMachine(config: SimulationConfig): void;
  /** With the programs of the module that the configuration names. Rejects with a UserError for a module that will not do. */
  withPrograms(config: SimulationConfig): Promise<SimulationConfig>;
  /** Rejects with a UserError for a module that has programs, or will not do. */
  refusePrograms(policyFile: string, allowed: string): Promise<PolicyIdentity>;
  /** Runs that fit into free memory at once. */
  runsThatFit(config: SimulationConfig): number;
  makeSimulation(config: SimulationConfig): Promise<Simulation>;
  readonly bench: BenchRuns;
  /** `loadsModules`: the tasks name modules of the user's own. */
  openSweepPool(jobs: number, loadsModules: boolean): Promise<SweepPool>;
  openCasePool(jobs: number): Promise<CasePool>;
  openExplorePool(jobs: number, loadsModules?: boolean): Promise<ExplorePool>;
  /** Of all files and folders, in order. Rejects with a UserError. */
  loadCases(paths: readonly string[]): Promise<Case[]>;
  /** Rejects with a UserError for invariants that nobody watches under that executor. */
  checkCheckers(checks: string, executor: ExecutorName): Promise<void>;
  runCase(one: Case, options: CaseOptions): Promise<CaseReport>;
  /** Without `kind`, by the name and content of the file. Rejects with a UserError. */
  checkFile(path: string, kind: FileKind | undefined): Promise<CheckedFile>;
  editorSchema(kind: FileKind): Promise<EditorSchema>;
}

/** Measurements of the benchmarks, by their names. */
export interface BenchRuns {
  readonly migrate: BenchRun<MigrateOptions, MigrateCell>;
  readonly fault: BenchRun<FaultOptions, FaultCell>;
  readonly invalidate: BenchRun<InvalidateOptions, InvalidateCell>;
  readonly access: BenchRun<AccessOptions, AccessCell>;
  readonly engine: BenchRun<EngineOptions, EngineCell>;
  readonly lookup: BenchRun<LookupOptions, LookupCell>;
  readonly mirror: BenchRun<MirrorOptions, MirrorCell>;
  readonly calibrate: BenchRun<CalibrateBenchOptions, CalibrateCell>;
}

/** One run of a sweep, as it is sent to a worker. */
export interface SweepTask {
  readonly scenario: string;
  readonly overrides: ScenarioOverrides;
}

/** One case, or some of the runs of a case of which allocations fail, as it is sent to a worker. */
export interface CaseTask {
  readonly one: Case;
  readonly options: Omit<CaseOptions, 'signal'>;
}

/** Workers for tasks that know nothing of one another. */
export interface TaskPool<Task, Report> {
  /** Rejects with an AbortError when the signal ends it first. */
  run(task: Task, signal: AbortSignal): Promise<Report>;
  close(): Promise<void>;
}

/** A block of schedules, as it is sent to a worker. */
export interface ExploreTask {
  readonly block: BlockTask;
  readonly stopAtFirst: boolean;
}

export type ExplorePool = TaskPool<ExploreTask, BlockResult>;
export type SweepPool = TaskPool<SweepTask, RunReport>;
export type CasePool = TaskPool<CaseTask, CaseReport>;
