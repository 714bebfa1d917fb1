/** The control plane: what the main thread asks of an actor, the same under both executors. */

import type { Vpn } from '../base/units.js';
import type { CheckResult } from '../check/checkResult.js';
import type { GpuActivity, GpuSnapshot } from '../device/gpuSnapshot.js';
import type { DriverEvent } from '../observe/driverEvents.js';
import type { ActorProgress, WorkloadResult } from '../workload/workload.js';
import type { LockState } from './lockStates.js';

/** Common to all actors. A worker exposes one of these; under `virtual` main calls it directly. */
export interface ActorHost {
  /** Resolves when no task of the actor is within an operation of its workload; they stay so until {@link resume}. */
  pause(): Promise<void>;
  resume(): void;
  /** While held: one operation of each workload task of the actor goes on; resolves when all are held again. */
  step(): Promise<void>;
  /** What each workload has done here. */
  progress(): readonly ActorProgress[];
  /** What the actor's tasks wait for, in words. */
  waits(): readonly string[];
}

export interface DeviceHost extends ActorHost {
  /** Asks open-ended kernels to end at their next operation. */
  requestStop(): void;
  snapshot(): GpuSnapshot;
  /** At any time. */
  activity(): GpuActivity;
}

export interface CpuHost extends ActorHost {
  /** Runs the workload's program to its end. */
  runProgram(): Promise<WorkloadResult>;
  /** Asks open-ended work to end at its next operation. */
  requestStop(): void;
}

export interface CoordinatorHost extends ActorHost {
  /** Table index of the page table's root, for the CPU threads' walkers. */
  readonly tableRoot: number;
  /** All rules, while nothing runs. */
  verify(
    devices: readonly GpuSnapshot[],
    progress: readonly (readonly ActorProgress[])[],
  ): readonly CheckResult[];
  /** What the drivers have reported so far; only of cases. */
  driverEvents(): readonly DriverEvent[];
  /** What the CPU and each device know of a page: lines to read. Only while the run is held. */
  describePage(devices: readonly GpuSnapshot[], process: number, page: Vpn): readonly string[];
  /** Locks that somebody holds or waits for, the ones with most waiters first. */
  locks(): readonly LockState[];
  /** Ends mirrors and address space. */
  tearDown(): Promise<void>;
  /** Checks that nothing is left after {@link tearDown}. */
  verifyTornDown(devices: readonly GpuSnapshot[]): readonly CheckResult[];
}
