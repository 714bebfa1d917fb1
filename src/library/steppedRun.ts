/** A run that the caller drives, one step at a time, and into which he looks between two steps. */

import type { Machine } from '../actors/machine.js';
import { assert } from '../base/assert.js';
import type { Vpn } from '../base/units.js';
import { UserError } from '../base/userError.js';
import type { CheckResult } from '../check/checkResult.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { type Counters, runCounters } from '../observe/counters.js';
import { Observation } from '../observe/observation.js';
import { RunObserver } from '../observe/runObserver.js';
import { checkMachine } from '../scenario/memoryNeed.js';
import type { StepObserver } from '../sim/scheduler.js';
import { stepDefinition } from '../sim/steps.js';
import type { Strategy } from '../sim/strategy.js';
import type { Task } from '../sim/task.js';
import { RandomStrategy } from '../sim/virtual/randomStrategy.js';
import type { RunEnd } from '../sim/virtual/virtualExecutor.js';
import { describeEverywhere } from '../simulation/describePage.js';
import { restStepsMax } from '../simulation/restStepsMax.js';
import { allocateBuffers, type SharedBuffers } from '../simulation/sharedBuffers.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { VirtualMachine } from '../simulation/virtualMachine.js';
import type { WorkloadResult } from '../workload/workload.js';
import { refuseUnknown, requireKeys } from './given.js';
import { type Configured, configure, requireVirtual, type Setup } from './setup.js';

const TORN_DOWN = 'a run that was torn down';
const OPTIONS = 'SteppedRun.start()';

/** What one task is doing. */
export interface TaskView {
  readonly id: number;
  readonly name: string;
  /** `coordinator`, `gpu0`, `cpu0`, ... */
  readonly actor: string;
  readonly state: Task['state'];
  /** What it waits for, in words; null while it can run. */
  readonly waitsFor: string | null;
  /** Names of the tasks in its way, as far as that is known. */
  readonly blockedBy: readonly string[];
  /** Names of the locks that it holds. */
  readonly holds: readonly string[];
  /** The named step that it took last. */
  readonly lastStep: string;
}

/** How a stepped run is driven. */
export interface SteppedOptions {
  /** Who chooses the next task; random by the seed of the setup unless told. */
  readonly strategy?: Strategy;
}

/** Under the virtual executor: nothing moves unless it is told to. */
export class SteppedRun {
  /** All parts, for those who look closely. What is changed there changes the run. */
  readonly machine: Machine;
  private readonly virtual: VirtualMachine;
  private readonly buffers: SharedBuffers;
  private readonly ended: WorkloadResult[] = [];
  private lastEnd: RunEnd = 'stopped';
  private isTornDown = false;

  private constructor(
    readonly config: SimulationConfig,
    { extensions }: Configured,
    strategy: Strategy,
  ) {
    this.buffers = allocateBuffers(config);
    this.virtual = new VirtualMachine(config, this.buffers, strategy, extensions);
    this.machine = this.virtual.parts;
    const { executor, coordinator, cpus } = this.virtual;
    executor.addObserver(new RunObserver(new ObserverBuffers(this.buffers.observer), executor));
    coordinator.watch(this.machine);
    for (const cpu of cpus) cpu.start((result) => this.ended.push(result));
  }

  /** Programs are started, and have not taken a step. @throws UserError for a mistake in the setup. */
  static async start(setup: Setup, options: SteppedOptions = {}): Promise<SteppedRun> {
    requireVirtual('setup', setup);
    requireKeys(OPTIONS, null, options, 'an object with options of a stepped run');
    refuseUnknown(OPTIONS, options, ['strategy']);
    const configured = await configure({ ...setup, executor: 'virtual' });
    const { config } = configured;
    checkMachine(config);
    const chosen = options.strategy ?? new RandomStrategy(config.seed);
    chosen.newExecution();
    return new SteppedRun(config, configured, chosen);
  }

  /** Nanoseconds of simulated time. */
  get now(): number {
    return this.virtual.executor.now();
  }

  get steps(): number {
    return this.virtual.executor.steps;
  }

  /** What the programs that have ended gave. */
  get results(): readonly WorkloadResult[] {
    return this.ended;
  }

  /** Every program has ended. */
  get isFinished(): boolean {
    return this.ended.length === this.config.workloads.length;
  }

  /** Why the run cannot go on, in words: a task failed, or all wait for one another. Null while all is well. */
  get failure(): string | null {
    const { failure } = this.virtual.executor;
    if (failure !== null) return failure.message;
    const stuck = this.lastEnd === 'idle' ? this.virtual.executor.stuckTasks() : [];
    if (stuck.length === 0) return null;
    const waits = stuck.map((task) => `${task.name} waits for ${task.waitingFor?.describeWait(task)}`);
    return ['every task waits for another', ...waits].join('; ');
  }

  /** One task goes to its next step; false when nothing can run any more. */
  step(): boolean {
    return this.run(undefined, 1) === 'out-of-steps';
  }

  /** Until `until` holds between two steps, nothing can run, a task fails, or so many steps were taken. */
  run(until: () => boolean = () => false, stepsMax = Number.POSITIVE_INFINITY): RunEnd {
    this.lastEnd = this.virtual.executor.run(until, stepsMax);
    return this.lastEnd;
  }

  /** Hears of each named step. It must not change anything. */
  onStep(observer: StepObserver): void {
    this.virtual.executor.addObserver(observer);
  }

  /** All that live, those that serve others among them. */
  tasks(): TaskView[] {
    return [...this.virtual.executor.tasks].map((task) => this.viewOf(task));
  }

  /** What the CPU and each device know of a page of a process: lines to read. */
  page(page: Vpn, process = 1): string[] {
    return describeEverywhere(this.virtual.coordinator.coordinator, this.snapshots(), process, page);
  }

  /** By the names of `svmsim run --json -`. */
  counters(): Counters {
    const observation = new Observation(new ObserverBuffers(this.buffers.observer));
    return runCounters({ observation, snapshots: this.snapshots() }, this.config.deviceCount);
  }

  /**
   * Goes on until every task stands between two operations, checks all invariants there, and lets the tasks go on.
   * @throws Error with {@link failure} for a run that does not come there: what stopped in the middle of something breaks rules that it keeps.
   */
  verify(): readonly CheckResult[] {
    if (this.isTornDown) throw mistake('verify', TORN_DOWN, 'a run that was not');
    try {
      this.hold();
      return this.virtual.coordinator.verify(this.virtual.snapshots(), this.virtual.progress());
    } finally {
      for (const actor of this.others()) actor.resume();
    }
  }

  /**
   * Ends mirrors and processes once all programs have ended; what is left then is a leak, and a check that fails.
   * @throws Error with {@link failure} for a run that has failed, or that does not come to its end. UserError where it is too early, or was done.
   */
  tearDown(): readonly CheckResult[] {
    this.refuseFailed();
    this.refuseTearDown();
    this.isTornDown = true;
    this.virtual.coordinator.startTearDown();
    this.run();
    this.refuseFailed();
    return this.virtual.coordinator.verifyTornDown(this.virtual.snapshots());
  }

  private refuseTearDown(): void {
    if (this.isTornDown) throw mistake('tearDown', TORN_DOWN, 'a run that was not');
    if (this.isFinished) return;
    const { length } = this.config.workloads;
    const found = `${this.ended.length} of ${length} programs that have ended`;
    throw mistake('tearDown', found, 'a run of which all have, as isFinished says');
  }

  private others(): readonly { pause(): Promise<void>; resume(): void }[] {
    return [...this.virtual.devices, ...this.virtual.cpus];
  }

  private hold(): void {
    const { devices, cpus, coordinator } = this.virtual;
    const gates = [...devices.map(({ actor }) => actor.gate), ...cpus.map(({ thread }) => thread.gate)];
    let open = gates.length;
    for (const gate of gates) gate.close(() => open--);
    const stepsMax = restStepsMax(this.config);
    const end = this.run(() => open === 0 && coordinator.isIdle, stepsMax);
    this.refuseFailed();
    if (end === 'out-of-steps') throw new Error(`after ${stepsMax} steps a program has not passed its gate`);
    assert(end === 'stopped', 'a run without tasks that wait cannot be held');
  }

  private refuseFailed(): void {
    if (this.failure !== null) throw new Error(this.failure);
  }

  /** As they are, between two steps of no matter whom. */
  private snapshots(): GpuSnapshot[] {
    return this.virtual.devices.map(({ actor }) => actor.gpu.snapshot());
  }

  private viewOf(task: Task): TaskView {
    const { id, name, actor, state, waitingFor, held, lastStep } = task;
    return {
      id,
      name,
      actor: this.virtual.names[actor],
      state,
      waitsFor: waitingFor?.describeWait(task) ?? null,
      blockedBy: waitingFor?.holders().map((holder) => holder.name) ?? [],
      holds: held.map(({ lock }) => lock.name),
      lastStep: stepDefinition(lastStep).name,
    };
  }
}

function mistake(call: string, found: string, allowed: string): UserError {
  return new UserError({ where: `SteppedRun.${call}()`, found, allowed });
}
