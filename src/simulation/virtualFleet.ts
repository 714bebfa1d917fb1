/** The actors of one run on the main thread, under the virtual executor. */

import { setImmediate } from 'node:timers/promises';
import { COORDINATOR } from '../actors/coordinator.js';
import { UserError } from '../base/userError.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { RunObserver } from '../observe/runObserver.js';
import type { TraceCollector } from '../observe/trace/traceCollector.js';
import { TraceRecorder } from '../observe/trace/traceRecorder.js';
import { TraceRing } from '../observe/trace/traceRing.js';
import type { TaskFailure } from '../sim/scheduler.js';
import type { Strategy } from '../sim/strategy.js';
import type { Extensions } from './extensions.js';
import { ActorFailure, type Fleet, type Waited } from './fleet.js';
import { Settling } from './settling.js';
import type { SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { VirtualMachine } from './virtualMachine.js';

/** Steps between two looks at the event loop. The same number everywhere, so that it cannot change a run. */
const STEPS_PER_SLICE = 50_000;
/** Turns of the event loop in which nobody takes a step: after these, who looks once a turn has seen that all are at rest. */
const IDLE_TURNS = 3;

export class VirtualFleet extends VirtualMachine implements Fleet {
  private readonly settling = new Settling();
  /** What code of the user's gives can bring the simulator to what cannot be done, and nothing tells. */
  private readonly hasOwnCode: boolean;

  constructor(
    config: SimulationConfig,
    buffers: SharedBuffers,
    strategy: Strategy,
    /** Takes the trace out of the one ring that all actors share. */
    tracer: TraceCollector | null = null,
    extensions: Extensions = {},
  ) {
    super(config, buffers, strategy, extensions);
    this.hasOwnCode = Object.keys(extensions).length > 0;
    this.executor.addObserver(new RunObserver(new ObserverBuffers(buffers.observer), this.executor));
    if (tracer !== null) this.traceTo(tracer, buffers);
    this.coordinator.watch(this.parts);
  }

  now(): number {
    return this.executor.now();
  }

  get steps(): number {
    return this.executor.steps;
  }

  async until(
    promise: Promise<unknown>,
    atNs: number,
    signal: AbortSignal | undefined,
    onPause: () => boolean = () => false,
  ): Promise<Waited> {
    const end = this.settling.of(promise);
    const isDue = (): boolean => this.executor.now() >= atNs;
    let idleTurns = 0;
    if (signal?.aborted) return 'aborted';
    for (;;) {
      const before = this.executor.steps;
      const ran = this.executor.run(isDue, STEPS_PER_SLICE);
      if (ran === 'failed') throw this.failure();
      // Lets the promises of tasks that ended settle, and signals in.
      await setImmediate();
      const isWanted = onPause();
      if (end.isSettled) return 'settled';
      // First: where something is due in every slice, the signal would never be heard.
      if (signal?.aborted) return 'aborted';
      if (isWanted || ran === 'stopped') return 'time';
      idleTurns = ran === 'idle' && this.executor.steps === before ? idleTurns + 1 : 0;
      if (idleTurns === IDLE_TURNS) throw this.deadlock();
    }
  }

  async during<T>(promise: Promise<T>, onPause?: () => boolean): Promise<T> {
    await this.until(promise, Number.POSITIVE_INFINITY, undefined, onPause);
    return promise;
  }

  async atRest<T>(work: () => T | Promise<T>): Promise<T> {
    return work();
  }

  /** Nothing runs meanwhile that could fail. */
  rest<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  async close(): Promise<void> {}

  private traceTo(tracer: TraceCollector, { trace }: SharedBuffers): void {
    const ring = new TraceRing(trace, 0);
    const recorder = new TraceRecorder(ring, this.executor, 0, COORDINATOR, () => tracer.drain());
    this.executor.addObserver(recorder);
    this.executor.waitObserver = recorder;
  }

  /** What a user's own code did wrong is no failure of the simulated system. */
  private failure(): ActorFailure | UserError {
    const failure = this.executor.failure as TaskFailure;
    if (failure.cause instanceof UserError) return failure.cause;
    return new ActorFailure(
      this.names[failure.task.actor],
      failure.message,
      this.hasOwnCode || failure.name === 'TaskFailure',
    );
  }

  private deadlock(): ActorFailure {
    return new ActorFailure('all', 'deadlock: every task waits for another', true);
  }
}
