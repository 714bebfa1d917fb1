/** Has the steps of an actor in a thread of its own counted, and recorded where a trace is asked for. */

import {
  ActorObserver,
  monotonicOffsetNs,
  ObserverBuffers,
  wallClockOffsetNs,
} from '../observe/actorObserver.js';
import { TracedObserver } from '../observe/trace/tracedObserver.js';
import { TraceRecorder } from '../observe/trace/traceRecorder.js';
import { TraceRing } from '../observe/trace/traceRing.js';
import type { ActorId } from '../sim/task.js';
import type { ThreadExecutor } from '../sim/threads/threadExecutor.js';
import type { SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';

/** Before the actor runs. */
export function observeActor(
  executor: ThreadExecutor,
  actor: ActorId,
  { trace }: SimulationConfig,
  buffers: SharedBuffers,
): void {
  const offsetNs = wallClockOffsetNs(executor);
  const observer = new ActorObserver(new ObserverBuffers(buffers.observer), actor, executor, offsetNs);
  if (trace !== true) {
    executor.addObserver(observer);
    return;
  }
  const ring = new TraceRing(buffers.trace, actor);
  const recorder = new TraceRecorder(ring, executor, monotonicOffsetNs(executor), actor);
  executor.addObserver(new TracedObserver(observer, recorder));
  executor.waitObserver = recorder;
}
