/** What every instance of a workload knows about the run it is part of, and how its actors are numbered. */

import { assert } from '../base/assert.js';
import type { CallPayload } from '../memory/callPayload.js';
import { Random } from '../sim/random.js';
import type { GhostBoard } from './ghostBoard.js';
import type { Programs } from './ownProgram.js';
import type { DeviceContext } from './workload.js';

export interface WorkloadWorld {
  readonly deviceCount: number;
  /** Contexts of every launch on every device. */
  readonly contextsPerDevice: number;
  readonly seed: number;
  readonly board: GhostBoard;
  /** Of all CPU threads, in their order; none where programs make no driver calls. */
  readonly payloads?: readonly CallPayload[];
  /** Of the user's own. */
  readonly programs?: Programs;
}

/** The CPU thread of a workload is its actor 0; the contexts of all devices follow. */
export const CPU_ACTOR = 0;

export function contextActor(world: WorkloadWorld, device: number, context: number): number {
  return 1 + device * world.contextsPerDevice + context;
}

export function actorCount(world: WorkloadWorld): number {
  return 1 + world.deviceCount * world.contextsPerDevice;
}

/** Work is split over the contexts that the configuration names, so a launch must have these. */
export function checkContext({ index, count }: DeviceContext, world: WorkloadWorld): void {
  assert(
    count === world.contextsPerDevice,
    () => `a launch with ${count} contexts, not ${world.contextsPerDevice}`,
  );
  assert(index >= 0 && index < count, () => `context ${index} of ${count}`);
}

/** Streams of workloads begin here, away from those that executors and CPU threads number from 0. */
const STREAM_BASE = 2 ** 30;
/** More than the actors of one workload: 64 devices of 1024 contexts, and the CPU thread. */
const STREAMS_PER_WORKLOAD = 2 ** 17;

/** The stream of one actor of one workload. */
export function actorRandom(world: WorkloadWorld, workload: number, actor: number): Random {
  return new Random(world.seed, STREAM_BASE + workload * STREAMS_PER_WORKLOAD + actor);
}
