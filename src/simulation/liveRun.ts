/** A run while it goes on, as those who watch it see it and hold it. */

import type { Vpn } from '../base/units.js';
import type { GpuActivity } from '../device/gpuSnapshot.js';
import type { Counters } from '../observe/counters.js';
import type { LockState } from './lockStates.js';
import type { ActorStatus, RunProgress } from './runReport.js';

/** One actor at one moment. */
export interface LiveActor extends ActorStatus {
  /** What its tasks wait for, in words. */
  readonly waits: readonly string[];
  /** Messages on their way from it, and to it; 0 for the Coordinator, at whose end all of them are. */
  readonly sent: number;
  readonly toReceive: number;
}

/** One device at one moment. */
export interface LiveDevice {
  readonly counters: Counters;
  /** Null where the device does not answer in time. */
  readonly activity: GpuActivity | null;
}

export interface LiveSnapshot {
  readonly phase: RunProgress['phase'];
  /** Of the executor's clock. */
  readonly elapsedMs: number;
  readonly actors: readonly LiveActor[];
  readonly locks: readonly LockState[];
  readonly counters: Counters;
  readonly devices: readonly LiveDevice[];
}

/** Calls may come at any time until the run has ended; after that nothing changes any more. */
export interface LiveRun {
  /** Actors that do not answer in time have no waits. */
  snapshot(): Promise<LiveSnapshot>;
  /** The run is held between two operations as soon as all actors are there; {@link isHeld} says when. */
  pause(): void;
  resume(): void;
  /** While held: one operation of each workload task. Resolves when the run is held again; at once where it is not held. */
  step(): Promise<void>;
  /** While held: what the CPU and each device know of a page, as lines; empty where the run is not held. */
  inspect(page: Vpn, process: number): Promise<readonly string[]>;
  readonly isHeld: boolean;
}
