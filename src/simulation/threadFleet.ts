/** The actors of one run in worker threads, reached over Comlink. */

import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { type Remote as ComlinkRemote, releaseProxy, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { UserError } from '../base/userError.js';
import { ObserverBuffers, sharedWallNs } from '../observe/actorObserver.js';
import { Observation } from '../observe/observation.js';
import type { ActorHost, CoordinatorHost, CpuHost, DeviceHost } from './actorHost.js';
import { answerInTime, JUDGED_ANSWER_MS } from './answerInTime.js';
import { ActorFailure, type Fleet, type Remote, type Waited } from './fleet.js';
import { HANG_LOOKS, LOOK_EVERY_MS } from './hangLooks.js';
import { isAsleep } from './lostProgress.js';
import { receivedMistake } from './sentMistakes.js';
import { type Settled, Settling } from './settling.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { Sleepers } from './sleepers.js';
import { type WorkerKind, WorkerPool } from './workerPool.js';

/** What makes a worker run an actor. */
export interface WorkerInput {
  /** Over which the actor is reached. */
  readonly control: MessagePort;
  readonly config: SimulationConfig;
  readonly buffers: SharedBuffers;
  /** Index among its kind. */
  readonly index: number;
  /** Of the CPU page table; for CPU threads. */
  readonly tableRoot: number;
}

/** What every worker exposes besides its host. */
export interface WorkerControl {
  /** Runs the actor until {@link stop}; rejects with the failure of a task. */
  runActor(): Promise<void>;
  stop(): void;
}

interface WorkerActor<H extends ActorHost> {
  readonly name: string;
  readonly kind: WorkerKind;
  readonly worker: Worker;
  readonly control: MessagePort;
  readonly host: ComlinkRemote<H & WorkerControl>;
}

const POLL_MS = 20;
const CLOSE_MS = 2_000;

export class ThreadFleet implements Fleet {
  /** Of the programs' time, which a duration limits: starting a worker per actor can take seconds. */
  private startMs = performance.now();
  private failureOf: ActorFailure | UserError | null = null;
  private readonly whenFailed: Promise<never>;
  private fail: (failure: ActorFailure | UserError) => void = () => {};
  private closing = false;
  private readonly actors: WorkerActor<ActorHost>[] = [];
  /** One for each actor, which settles when it has come to its end. */
  private readonly ends: Promise<void>[] = [];
  private coordinatorActor: WorkerActor<CoordinatorHost> | null = null;
  private deviceActors: WorkerActor<DeviceHost>[] = [];
  private cpuActors: WorkerActor<CpuHost>[] = [];

  private readonly observation: Observation;
  /** The next look for a hang; looks go on from one wait to the next, most of which are shorter than the time between two. */
  private lookAtMs = 0;
  private stepsLooked = -1;
  /** In a row, in which nobody had taken a step. */
  private idleLooks = 0;
  /** Pieces of work while which nobody takes a step. */
  private resting = 0;
  private readonly sleepers = new Sleepers();
  private readonly settling = new Settling(() => this.sleepers.wakeAll());

  private constructor(
    private readonly config: SimulationConfig,
    private readonly buffers: SharedBuffers,
    /** Where workers come from and go to; null ends them with the run. */
    private readonly pool: WorkerPool | null,
  ) {
    this.observation = new Observation(new ObserverBuffers(buffers.observer));
    this.whenFailed = new Promise<never>((_, reject) => {
      this.fail = (failure) => {
        this.failureOf ??= failure;
        reject(failure);
        this.sleepers.wakeAll();
      };
    });
    // Nobody may be waiting at the moment that it rejects.
    this.whenFailed.catch(() => {});
  }

  static async start(
    config: SimulationConfig,
    buffers: SharedBuffers,
    pool: WorkerPool | null = null,
  ): Promise<ThreadFleet> {
    const fleet = new ThreadFleet(config, buffers, pool);
    try {
      // However long workers take to load on a busy machine, they stand still only once they run. One that dies fails the start.
      await Promise.race([fleet.startActors(), fleet.whenFailed]);
      fleet.startMs = performance.now();
      new ObserverBuffers(buffers.observer).runStartNs = sharedWallNs();
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  get coordinator(): Remote<CoordinatorHost> {
    return started(this.coordinatorActor).host as unknown as Remote<CoordinatorHost>;
  }

  get devices(): readonly Remote<DeviceHost>[] {
    return this.deviceActors.map((actor) => actor.host as unknown as Remote<DeviceHost>);
  }

  get cpus(): readonly Remote<CpuHost>[] {
    return this.cpuActors.map((actor) => actor.host as unknown as Remote<CpuHost>);
  }

  get steps(): number {
    return this.observation.steps();
  }

  now(): number {
    return (performance.now() - this.startMs) * 1e6;
  }

  async until(
    promise: Promise<unknown>,
    atNs: number,
    signal: AbortSignal | undefined,
    onPause: () => boolean = () => false,
  ): Promise<Waited> {
    const end = this.settling.of(promise);
    for (;;) {
      const waitMs = Math.min(POLL_MS, Math.max(0, (atNs - this.now()) / 1e6));
      if (!end.isSettled && this.failureOf === null) await this.sleepers.sleep(waitMs);
      if (end.isSettled) return 'settled';
      if (this.failureOf !== null) throw this.failureOf;
      if (signal?.aborted) return 'aborted';
      if (onPause() || this.now() >= atNs) return 'time';
      if (performance.now() >= this.lookAtMs) await this.watchProgress();
    }
  }

  async during<T>(promise: Promise<T>, onPause?: () => boolean): Promise<T> {
    await this.until(promise, Number.POSITIVE_INFINITY, undefined, onPause);
    return promise.catch((error: unknown) => {
      // A mistake of the user must stay one.
      throw receivedMistake(error) ?? error;
    });
  }

  async atRest<T>(work: () => T | Promise<T>): Promise<T> {
    this.resting++;
    try {
      return await work();
    } finally {
      this.resting--;
    }
  }

  /** Without a look at progress: nobody takes a step who rests. */
  async rest<T>(promise: Promise<T>): Promise<T> {
    const end = this.settling.of(promise);
    while (!end.isSettled && this.failureOf === null) await this.sleepers.sleep(LOOK_EVERY_MS);
    if (!end.isSettled && this.failureOf !== null) throw this.failureOf;
    return promise;
  }

  async close(): Promise<void> {
    this.closing = true;
    const stops = this.actors.map((actor) => actor.host.stop());
    const stopped = this.settling.of(Promise.allSettled([...stops, ...this.ends]));
    const inTime = await this.inTime(stopped, CLOSE_MS);
    for (const actor of this.actors) {
      actor.host[releaseProxy]();
      actor.control.close();
    }
    const { pool } = this;
    if (pool !== null && inTime && this.failureOf === null) {
      for (const { kind, worker } of this.actors) pool.give(kind, worker);
    } else {
      await Promise.all(this.actors.map((actor) => actor.worker.terminate()));
    }
  }

  /** Whether it settles within so many milliseconds. */
  private async inTime(what: Settled, ms: number): Promise<boolean> {
    const endMs = performance.now() + ms;
    for (let leftMs = ms; !what.isSettled && leftMs > 0; leftMs = endMs - performance.now()) {
      await this.sleepers.sleep(leftMs);
    }
    return what.isSettled;
  }

  /** Ends one worker at once, as if it had died: for trying out what becomes of the run. */
  kill(name: string): void {
    void this.actors.find((actor) => actor.name === name)?.worker.terminate();
  }

  private async startActors(): Promise<void> {
    const names = actorNames(this.config);
    this.coordinatorActor = this.startActor<CoordinatorHost>('coordinator', names[0], 0, 0);
    const tableRoot = await this.coordinatorActor.host.tableRoot;
    for (let i = 0; i < this.config.deviceCount; i++) {
      this.deviceActors.push(this.startActor<DeviceHost>('device', names[1 + i], i, 0));
    }
    for (let i = 0; i < this.config.workloads.length; i++) {
      const name = names[1 + this.config.deviceCount + i];
      this.cpuActors.push(this.startActor<CpuHost>('cpuThread', name, i, tableRoot));
    }
    // A first answer says that the worker has loaded and built its actor. None runs before: those that wait for work would take time from the rest.
    await Promise.all(this.actors.map((actor) => actor.host.waits()));
    for (const actor of this.actors) this.runActor(actor);
  }

  private startActor<H extends ActorHost>(
    kind: WorkerKind,
    name: string,
    index: number,
    tableRoot: number,
  ): WorkerActor<H> {
    const worker = (this.pool ?? this.ownPool()).take(kind);
    worker.on('error', (error) => this.died(name, error));
    worker.on('exit', (code) => this.died(name, new Error(`its worker ended with code ${code}`)));
    const { port1, port2 } = new MessageChannel();
    const { config, buffers } = this;
    const input: WorkerInput = { control: port2, config, buffers, index, tableRoot };
    worker.postMessage(input, [port2]);
    const host = wrap<H & WorkerControl>(nodeEndpoint(port1));
    const actor: WorkerActor<H> = { name, kind, worker, control: port1, host };
    this.actors.push(actor as unknown as WorkerActor<ActorHost>);
    return actor;
  }

  /** Programs may pause for longer than a hang is waited for. */
  private async isAsleep(): Promise<boolean> {
    const asked = this.actors.map(({ host }) =>
      answerInTime<readonly string[]>(() => host.waits(), [], JUDGED_ANSWER_MS),
    );
    return (await Promise.all(asked)).some(isAsleep);
  }

  private ownPool(): WorkerPool {
    const { policyFile, workloads } = this.config;
    return new WorkerPool(
      policyFile !== undefined,
      workloads.some(({ kind }) => kind === 'program'),
    );
  }

  private runActor(actor: WorkerActor<ActorHost>): void {
    const end = actor.host
      .runActor()
      .catch((error: Error) => this.fail(failureFrom(actor.name, error, this.config)));
    this.ends.push(end);
  }

  private died(name: string, error: Error): void {
    if (!this.closing) this.fail(failureFrom(name, error, this.config));
  }

  /** Nobody took a step for a long time, and nobody will by himself: that is a hang, and it is reported rather than waited for. */
  private async watchProgress(): Promise<void> {
    this.lookAtMs = performance.now() + LOOK_EVERY_MS;
    const { steps } = this;
    const isIdle = steps === this.stepsLooked && this.resting === 0;
    this.idleLooks = isIdle ? this.idleLooks + 1 : 0;
    this.stepsLooked = steps;
    if (this.idleLooks < HANG_LOOKS) return;
    if (await this.isAsleep()) {
      this.idleLooks = 0;
      return;
    }
    const message = `no actor has taken a step for ${(HANG_LOOKS * LOOK_EVERY_MS) / 1000} s`;
    throw new ActorFailure('all', message, true);
  }
}

/** An actor's error has lost its class on the way. */
function failureFrom(
  actor: string,
  error: Error,
  { policyFile }: SimulationConfig,
): ActorFailure | UserError {
  const mistake = receivedMistake(error);
  if (mistake !== null) return mistake;
  const { name, message } = error;
  // What it gives can bring the simulator to what cannot be done, and nothing tells.
  const mayBeOfUser = policyFile !== undefined && name === 'InternalFailure';
  return new ActorFailure(actor, message, mayBeOfUser || name === 'TaskFailure');
}

function started<T>(actor: T | null): T {
  if (actor === null) throw new ActorFailure('coordinator', 'it has not been started', false);
  return actor;
}
