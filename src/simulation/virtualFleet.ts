/** The actors of one run on the main thread, under the virtual executor. */

import { setImmediate } from 'node:timers/promises';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { RunObserver } from '../observe/runObserver.js';
import type { Port } from '../sim/port.js';
import type { TaskFailure } from '../sim/scheduler.js';
import type { Strategy } from '../sim/strategy.js';
import { VirtualExecutor } from '../sim/virtual/virtualExecutor.js';
import { LocalCoordinator } from './coordinatorHost.js';
import { LocalCpu } from './cpuHost.js';
import { LocalDevice } from './deviceHost.js';
import { ActorFailure, type Fleet, type Waited } from './fleet.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';

/** Steps between two looks at the event loop. The same number everywhere, so that it cannot change a run. */
const STEPS_PER_SLICE = 50_000;

export class VirtualFleet implements Fleet {
  readonly executor: VirtualExecutor;
  readonly coordinator: LocalCoordinator;
  readonly devices: readonly LocalDevice[];
  readonly cpus: readonly LocalCpu[];
  private readonly names: readonly string[];

  constructor(config: SimulationConfig, buffers: SharedBuffers, strategy: Strategy) {
    this.names = actorNames(config);
    this.executor = new VirtualExecutor(strategy);
    this.executor.addObserver(new RunObserver(new ObserverBuffers(buffers.observer), this.executor));
    this.coordinator = new LocalCoordinator(this.executor, config, buffers);
    this.devices = Array.from(
      { length: config.deviceCount },
      (_, i) => new LocalDevice(this.executor, config, buffers, i),
    );
    const root = this.coordinator.tableRoot;
    this.cpus = config.workloads.map((_, i) => new LocalCpu(this.executor, config, buffers, i, root));
    this.connectAll();
  }

  now(): number {
    return this.executor.now();
  }

  get steps(): number {
    return this.executor.steps;
  }

  async until(promise: Promise<unknown>, atNs: number, signal: AbortSignal | undefined): Promise<Waited> {
    const state = { settled: false };
    const settle = (): void => {
      state.settled = true;
    };
    promise.then(settle, settle);
    const isDue = (): boolean => this.executor.now() >= atNs;
    for (;;) {
      const end = this.executor.run(isDue, STEPS_PER_SLICE);
      if (end === 'failed') throw this.failure();
      // Lets the promises of tasks that ended settle, and signals in.
      await setImmediate();
      if (state.settled) return 'settled';
      if (end === 'stopped') return 'time';
      if (signal?.aborted) return 'aborted';
      if (end === 'idle') throw this.deadlock();
    }
  }

  async during<T>(promise: Promise<T>): Promise<T> {
    await this.until(promise, Number.POSITIVE_INFINITY, undefined);
    return promise;
  }

  async close(): Promise<void> {}

  private connectAll(): void {
    const others = [...this.devices, ...this.cpus];
    others.forEach((other, i) => {
      const name = this.names[1 + i];
      this.connect(this.coordinator.ports[i], other.port, name);
    });
  }

  private connect(coordinator: Port, other: Port, name: string): void {
    coordinator.onSend = this.executor.pump(other, `the coordinator to ${name}`);
    other.onSend = this.executor.pump(coordinator, `${name} to the coordinator`);
  }

  private failure(): ActorFailure {
    const failure = this.executor.failure as TaskFailure;
    return new ActorFailure(this.names[failure.task.actor], failure.message, true);
  }

  private deadlock(): ActorFailure {
    return new ActorFailure('all', 'deadlock: every task waits for another', true);
  }
}
