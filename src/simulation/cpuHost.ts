/** A CPU thread with its control plane: made in its worker, or on the main thread under `virtual`. */

import type { CpuThread } from '../actors/cpuThread.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { deviceCounter } from '../observe/counters.js';
import { Observation } from '../observe/observation.js';
import type { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import type { Programs } from '../workload/ownProgram.js';
import type { ActorProgress, Workload, WorkloadResult } from '../workload/workload.js';
import { devicesLeave } from '../workload/workloadConfig.js';
import type { CpuHost } from './actorHost.js';
import { actorPort, buildCpuThread, buildWorkloads, cpuActorId } from './assemble.js';
import { ProgramHost, type RunMeters } from './programHost.js';
import type { SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { waitsOf } from './waits.js';

export class LocalCpu implements CpuHost {
  readonly thread: CpuThread;
  readonly port: Port;
  private readonly actor: ActorId;
  readonly workload: Workload;
  readonly host: ProgramHost;

  constructor(
    private readonly sched: Scheduler,
    config: SimulationConfig,
    buffers: SharedBuffers,
    cpu: number,
    tableRoot: number,
    programs: Programs = {},
  ) {
    this.actor = cpuActorId(config, cpu);
    this.port = actorPort(sched, config, buffers, this.actor);
    this.thread = buildCpuThread(sched, config, buffers, cpu, tableRoot, this.port);
    this.workload = buildWorkloads(config, buffers, programs)[cpu];
    // Test devices have no actor.
    const deviceCount = config.machine?.memories.length ?? config.deviceCount;
    const meters = runMeters(buffers);
    const isPatient = devicesLeave(config.workloads);
    this.host = new ProgramHost(this.thread, cpu, deviceCount, config.seed, meters, isPatient);
  }

  runProgram(): Promise<WorkloadResult> {
    return new Promise((resolve) => this.start(resolve));
  }

  /** Starts the program; `ended` is called in the step in which it ends. */
  start(ended: (result: WorkloadResult) => void): void {
    this.thread.gate.join();
    this.sched.spawn(this.actor, this.workload.name, this.runToEnd(ended));
  }

  requestStop(): void {
    this.thread.gate.ending = true;
  }

  pause(): Promise<void> {
    return new Promise((resolve) => this.thread.gate.close(resolve));
  }

  resume(): void {
    this.thread.gate.open();
  }

  step(): Promise<void> {
    return new Promise((resolve) => this.thread.gate.step(resolve));
  }

  progress(): readonly ActorProgress[] {
    return [{ device: -1, progress: this.workload.progress() }];
  }

  waits(): readonly string[] {
    return waitsOf(this.sched, this.actor);
  }

  private *runToEnd(resolve: (result: WorkloadResult) => void): Steps<void> {
    const result = yield* this.workload.run(this.host);
    this.thread.gate.leave();
    resolve(result);
  }
}

/** Those that can be read while the run goes on. */
function runMeters(buffers: SharedBuffers): RunMeters {
  const observers = new ObserverBuffers(buffers.observer);
  const observation = new Observation(observers);
  return {
    counter: (device, name) => deviceCounter(observation, device, name),
    forgetLatencies: () => observers.clearHistograms(),
  };
}
