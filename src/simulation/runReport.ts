/** What a run tells when it ends, or when it is asked: plain data that the command line prints and writes as JSON. */

import type { CheckResult } from '../check/checkResult.js';
import type { Counters } from '../observe/counters.js';
import type { DriverEvent } from '../observe/driverEvents.js';
import type { Latency } from '../observe/latency.js';
import type { LoadCounts } from '../observe/loads.js';
import type { WantedRate } from '../workload/wantedRate.js';
import type { WorkloadResult } from '../workload/workload.js';
import type { ExecutorName } from './simulationConfig.js';

export type { CheckResult } from '../check/checkResult.js';
export type { Counters } from '../observe/counters.js';
export type { Latency } from '../observe/latency.js';
export type { LoadCounts } from '../observe/loads.js';

/** One device's part of a report. */
export interface DeviceReport {
  readonly device: number;
  /** svm_pagefault_count, svm_tlb_inval_count, bytes by direction, TLB hits, VRAM in use, ... */
  readonly counters: Counters;
  readonly faultLatency: Latency;
}

/** State letter of an actor for the status line, and what it does. */
export interface ActorStatus {
  readonly name: string;
  /** `R` running, `W` waiting for a message, `F` stalled on faults, `P` paused, `E` ended, `I` starting. */
  readonly letter: string;
  /** Steps taken; it grows while the actor makes progress. */
  readonly steps: number;
}

/** Why the run ended. */
export type RunOutcome = 'completed' | 'time-up' | 'interrupted' | 'failed';

/** A class of load: what came, and what was asked for. */
export interface LoadReport extends LoadCounts {
  /** Operations per second of the executor's clock; null where none were asked for. */
  readonly wanted: WantedRate | null;
}

/** What a run did, and whether it did it right. */
export interface RunReport {
  readonly scenario: string;
  readonly executor: ExecutorName;
  readonly seed: number;
  readonly outcome: RunOutcome;
  readonly devices: readonly DeviceReport[];
  readonly counters: Counters;
  /** Retries by cause: `EAGAIN`, `EBUSY`, `EOPNOTSUPP`, ... */
  readonly retries: Counters;
  /** From the start of an invalidation to the return of its last callback. */
  readonly invalidationLatency: Latency;
  /** Classes of load that came, with their latencies. */
  readonly loads: readonly LoadReport[];
  readonly workloads: readonly WorkloadResult[];
  readonly checks: readonly CheckResult[];
  /** What drivers reported to processes; only of cases. */
  readonly driverEvents: readonly DriverEvent[];
  /** Present when an actor failed: which, what it was doing, its last steps. */
  readonly failure: RunFailure | null;
  /** Of the executor's clock: for how long programs ran, without the times in which all of them rested. */
  readonly programsNs: number;
  readonly simulatedNs: number;
  readonly wallNs: number;
  /** Quiescent points at which everything was verified. */
  readonly verifications: number;
  /** Steps of the protocol taken. */
  readonly steps: number;
}

/** Why a run ended before its programs did. */
export interface RunFailure {
  /** The simulated system broke a rule, deadlocked or hung; false when the machinery failed, such as a worker that died. */
  readonly isVerdict: boolean;
  readonly actor: string;
  readonly message: string;
  readonly lastSteps: readonly string[];
  /** Who waits for whom, for a deadlock. */
  readonly waits: readonly string[];
}

/** What a run shows while it goes on. */
export interface RunProgress {
  readonly phase: 'starting' | 'running' | 'verifying' | 'paused' | 'ending';
  readonly elapsedMs: number;
  /** Milliseconds left; null where only work ends the run. */
  readonly remainingMs: number | null;
  readonly actors: readonly ActorStatus[];
  readonly counters: Counters;
  /** Operations so far of the classes of load that the run has. */
  readonly loads: readonly LoadProgress[];
  /** The last check that was found broken, in words. */
  readonly violation: string | null;
}

export interface LoadProgress {
  readonly load: string;
  readonly operations: number;
}
