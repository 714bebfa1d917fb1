/** Conducts one run: starts the programs, verifies where the run is held still, ends it in time, and writes the report. */

import type { CheckResult } from '../check/checkResult.js';
import type { GpuActivity, GpuSnapshot } from '../device/gpuSnapshot.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { deviceCounters, runCounters } from '../observe/counters.js';
import type { DriverEvent } from '../observe/driverEvents.js';
import { Observation } from '../observe/observation.js';
import type { ActorProgress, WorkloadResult } from '../workload/workload.js';
import { answerInTime } from './answerInTime.js';
import { ActorFailure, type Fleet } from './fleet.js';
import type { LiveRun, LiveSnapshot } from './liveRun.js';
import type { LockState } from './lockStates.js';
import { observedReport } from './observedReport.js';
import { ProgressGuard } from './progressGuard.js';
import { type Conducted, ProgressReader } from './progressReader.js';
import { QueueReader } from './queueReader.js';
import { restStepsMax } from './restStepsMax.js';
import { lastEventsOf } from './runEvents.js';
import type { RunOptions } from './runOptions.js';
import type { RunFailure, RunOutcome, RunProgress, RunReport } from './runReport.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { UserHold } from './userHold.js';

const NS_PER_MS = 1e6;
/** Between two calls of `onProgress`, on the wall clock's side. */
const PROGRESS_EVERY_MS = 250;
/**
 * After a stop was asked for, programs get this long to reach their next operation, and more for each device: the faults that their contexts wait
 * for are served by one host, and all devices fight over it.
 */
const STOP_GRACE_MS = 10_000;
const STOP_GRACE_DEVICE_MS = 1_000;
/** The same for programs that are to come to rest between two operations, which may be long. */
const REST_GRACE_MS = 60_000;
/** Between two looks at what those who watch the run want. */
const LOOK_EVERY_MS = 50;
const LAST_STEPS = 12;
const DO_NOT_STOP = 'programs do not stop';
const DO_NOT_REST = 'programs do not pass their gates';
const DO_NOT_CLOSE = 'what is closed at the end does not come to its end';

interface Verified {
  readonly checks: readonly CheckResult[];
  readonly devices: readonly GpuSnapshot[];
}

export class Conductor {
  private readonly startedWallMs = performance.now();
  private readonly results: WorkloadResult[] = [];
  private devices: readonly GpuSnapshot[] = [];
  private checks: readonly CheckResult[] = [];
  private driverEvents: readonly DriverEvent[] = [];
  private verifications = 0;
  private outcome: RunOutcome = 'completed';
  private phase: RunProgress['phase'] = 'starting';
  private lastProgressMs = 0;
  private readonly observed: ObserverBuffers;
  private readonly statuses: ProgressReader;
  /** The same for snapshots, which come at other times. */
  private readonly snapshots: ProgressReader;
  /** For those who watch the run. */
  private readonly held: UserHold;
  /** Of the executor's clock: while the run was held for them. */
  private heldNs = 0;
  /** The same of this machine's clock. */
  private heldWallMs = 0;
  /** When it was held, while it is. */
  private heldSinceNs: number | null = null;
  /** Everybody rests, and what is looked at may take long. */
  private isAtRest = false;
  /** Of the executor's clock: while everybody rested, to be verified. */
  private verifiedNs = 0;
  /** When the programs had ended, without such times; null before. */
  private programsNs: number | null = null;
  private readonly guard: ProgressGuard;
  /** Actors whose program has ended. */
  private readonly ended = new Set<number>();

  constructor(
    private readonly config: SimulationConfig,
    private readonly buffers: SharedBuffers,
    private readonly fleet: Fleet,
    private readonly options: RunOptions,
  ) {
    this.observed = new ObserverBuffers(buffers.observer);
    const names = actorNames(config);
    this.statuses = new ProgressReader(this.observed, names, 1 + config.deviceCount);
    this.snapshots = new ProgressReader(this.observed, names, 1 + config.deviceCount);
    this.held = new UserHold(fleet);
    this.guard = new ProgressGuard(config, fleet, this.statuses, options);
  }

  async run(): Promise<RunReport> {
    this.options.onLive?.(this.live());
    let failure: RunFailure | null = null;
    try {
      await this.runPrograms();
      await this.verifyEverything();
      this.driverEvents = await this.whileAllLive(() => this.fleet.coordinator.driverEvents());
      if (this.passed) await this.tearDown();
    } catch (error) {
      if (!(error instanceof ActorFailure)) throw error;
      this.outcome = 'failed';
      failure = await this.describeFailure(error);
    }
    return this.report(failure);
  }

  private get passed(): boolean {
    return this.checks.every((check) => check.ok);
  }

  private async runPrograms(): Promise<void> {
    this.phase = 'running';
    const { cpus } = this.fleet;
    const programs = cpus.map((cpu) => cpu.runProgram());
    const firstCpu = 1 + this.config.deviceCount;
    programs.forEach((program, cpu) => {
      // Without a handler a rejection that comes while nobody waits would end the process.
      program.then(
        () => this.ended.add(firstCpu + cpu),
        () => {},
      );
    });
    const allEnded = Promise.all(programs);
    await this.untilEnded(allEnded);
    this.results.push(...(await this.fleet.during(allEnded)));
    this.programsNs = this.ranNs;
  }

  /** Holds the run for verification whenever it is due, and asks programs to end when the time is up. */
  private async untilEnded(allEnded: Promise<unknown>): Promise<void> {
    const { verifyEveryMs = 0, signal } = this.options;
    let verifyAtNs = verifyEveryMs > 0 ? verifyEveryMs * NS_PER_MS : Number.POSITIVE_INFINITY;
    for (;;) {
      const endAtNs = this.config.durationMs * NS_PER_MS + this.heldNs;
      const progressAtNs = this.nextProgressNs();
      const wakeAtNs = Math.min(verifyAtNs, endAtNs, progressAtNs, this.guard.wakeAtNs);
      const waited = await this.fleet.until(
        allEnded,
        wakeAtNs,
        signal,
        () => this.look() || this.guard.isDue,
      );
      this.showProgress();
      if (waited === 'settled') return;
      if (this.held.isAsked && waited !== 'aborted') {
        await this.holdForUser(signal);
        continue;
      }
      await this.lookForLost();
      if (waited === 'aborted' || this.fleet.now() >= endAtNs) {
        this.outcome = waited === 'aborted' ? 'interrupted' : 'time-up';
        return this.stopPrograms(allEnded);
      }
      if (this.fleet.now() >= verifyAtNs) {
        await this.verifyEverything();
        if (!this.passed) return this.stopPrograms(allEnded);
        verifyAtNs = this.fleet.now() + verifyEveryMs * NS_PER_MS;
        this.phase = 'running';
        this.guard.forgive();
      }
    }
  }

  private get conducted(): Conducted {
    return { ended: this.ended, isHeld: this.phase === 'verifying' || this.phase === 'paused' };
  }

  private lookForLost(): Promise<void> {
    const { ended, isAtRest } = this;
    return this.guard.look({ ended, isAtRest, isVerifying: this.phase === 'verifying' });
  }

  /** Under `virtual` the simulated clock decides, so progress must not: there it is shown when the executor pauses. */
  private nextProgressNs(): number {
    const { onProgress, onLive } = this.options;
    if (this.config.executor === 'virtual') return Number.POSITIVE_INFINITY;
    // Who watches the run should not wait long for it to be held.
    if (onLive !== undefined) return this.fleet.now() + LOOK_EVERY_MS * NS_PER_MS;
    return onProgress === undefined
      ? Number.POSITIVE_INFINITY
      : this.fleet.now() + PROGRESS_EVERY_MS * NS_PER_MS;
  }

  /** The time of the run stands still meanwhile. */
  private async holdForUser(signal: AbortSignal | undefined): Promise<void> {
    const startNs = this.fleet.now();
    const startWallMs = performance.now();
    this.heldSinceNs = startNs;
    this.phase = 'paused';
    await this.held.hold(signal, this.atMost(DO_NOT_REST));
    this.phase = 'running';
    this.heldSinceNs = null;
    // The simulated clock goes only where somebody does something.
    if (this.config.executor !== 'virtual') this.heldNs += this.fleet.now() - startNs;
    this.heldWallMs += performance.now() - startWallMs;
    this.guard.forgive();
  }

  private async stopPrograms(allEnded: Promise<unknown>): Promise<void> {
    this.phase = 'ending';
    for (const actor of [...this.fleet.cpus, ...this.fleet.devices]) void actor.requestStop();
    const { executor, deviceCount } = this.config;
    const graceMs = STOP_GRACE_MS + deviceCount * STOP_GRACE_DEVICE_MS;
    const graceNs = executor === 'virtual' ? Number.POSITIVE_INFINITY : graceMs * NS_PER_MS;
    const endNs = this.fleet.now() + graceNs;
    const waited = await this.fleet.until(allEnded, endNs, undefined, this.atMost(DO_NOT_STOP));
    if (waited === 'time') throw new ActorFailure('all', DO_NOT_STOP, true);
  }

  /** Holds every actor between two operations, checks all rules, and lets them go on. */
  private async verifyEverything(): Promise<void> {
    this.phase = 'verifying';
    const verified = await this.watched(this.holdAndVerify());
    this.verifications++;
    this.devices = verified.devices;
    // What was broken once may look whole when the run has been stopped for it.
    if (this.passed) this.checks = verified.checks;
  }

  /** Who does not get on keeps the others from coming to rest, and is told as at any other time. */
  private async watched<T>(work: Promise<T>): Promise<T> {
    const limit = this.atMost(DO_NOT_REST);
    const { guard } = this;
    guard.forgive();
    const look = (): boolean => limit() || guard.isDue;
    while ((await this.fleet.until(work, guard.wakeAtNs, undefined, look)) !== 'settled')
      await this.lookForLost();
    // It has ended; under `virtual` others would go on meanwhile.
    return this.config.executor === 'virtual' ? work : this.fleet.during(work);
  }

  private async holdAndVerify(): Promise<Verified> {
    const { coordinator, devices, cpus } = this.fleet;
    const others = [...devices, ...cpus];
    await Promise.all(others.map((actor) => actor.pause()));
    await coordinator.pause();
    this.isAtRest = true;
    const startNs = this.fleet.now();
    const snapshots = await Promise.all(devices.map((device) => device.snapshot()));
    const progress = await Promise.all(others.map((actor) => actor.progress()));
    const ofWorkloads = this.byWorkload(progress);
    const checks = await this.fleet.atRest(() => coordinator.verify(snapshots, ofWorkloads));
    this.verifiedNs += this.fleet.now() - startNs;
    this.isAtRest = false;
    await Promise.all(others.map((actor) => actor.resume()));
    return { checks, devices: snapshots };
  }

  /** Devices report on all workloads, in order; a CPU thread on its own only. */
  private byWorkload(progress: readonly (readonly ActorProgress[])[]): ActorProgress[][] {
    const { deviceCount, workloads } = this.config;
    return workloads.map((_, workload) => [
      ...progress.slice(0, deviceCount).map((ofDevice) => ofDevice[workload]),
      ...progress[deviceCount + workload],
    ]);
  }

  private async tearDown(): Promise<void> {
    this.phase = 'ending';
    const { coordinator, devices } = this.fleet;
    await this.whileAllLive(() => coordinator.tearDown());
    const snapshots = await this.whileAllLive(() => Promise.all(devices.map((device) => device.snapshot())));
    const verify = (): Promise<readonly CheckResult[]> =>
      this.fleet.atRest(() => coordinator.verifyTornDown(snapshots));
    const checks = await this.whileAllLive(verify);
    this.checks = [...this.checks, ...checks];
  }

  /** An actor that dies answers nobody, and so must not be waited for alone. */
  private whileAllLive<T>(ask: () => T | Promise<T>): Promise<T> {
    const { executor } = this.config;
    const limit = executor === 'virtual' ? this.atMost(DO_NOT_CLOSE) : undefined;
    return this.fleet.during(Promise.resolve(ask()), limit);
  }

  private async describeFailure(error: ActorFailure): Promise<RunFailure> {
    const names = actorNames(this.config);
    const index = names.indexOf(error.actor);
    const indexes = index >= 0 ? [index] : names.map((_, i) => i);
    const events = lastEventsOf(this.config, this.observed);
    const lastSteps = indexes.flatMap((i) => events.describeRecent(i, LAST_STEPS));
    const waits = await this.collectWaits();
    return { actor: error.actor, message: error.message, isVerdict: error.isVerdict, lastSteps, waits };
  }

  private async collectWaits(): Promise<string[]> {
    const names = actorNames(this.config);
    const waits = await this.waitsByActor();
    return waits.flatMap((lines, i) => lines.map((line) => `${names[i]}: ${line}`));
  }

  /** Of those that still answer. */
  private waitsByActor(): Promise<(readonly string[])[]> {
    const { coordinator, devices, cpus } = this.fleet;
    return Promise.all(
      [coordinator, ...devices, ...cpus].map((actor) => answerInTime(() => actor.waits(), [])),
    );
  }

  private live(): LiveRun {
    const { held } = this;
    return {
      snapshot: () => this.snapshot(),
      pause: () => held.pause(),
      resume: () => held.resume(),
      step: () => held.step(),
      inspect: (page, process) => held.inspect(page, process),
      get isHeld() {
        return held.isHeld;
      },
    };
  }

  private async snapshot(): Promise<LiveSnapshot> {
    const [waits, locks, activities] = await Promise.all([
      this.waitsByActor(),
      answerInTime<readonly LockState[]>(() => this.fleet.coordinator.locks(), []),
      Promise.all(
        this.fleet.devices.map((one) => answerInTime<GpuActivity | null>(() => one.activity(), null)),
      ),
    ]);
    const queues = new QueueReader(this.config, this.buffers);
    const actors = this.snapshots
      .read(this.conducted)
      .map((status, i) => ({ ...status, waits: waits[i], ...queues.of(i) }));
    const source = { observation: new Observation(this.observed), snapshots: null };
    const { deviceCount } = this.config;
    return {
      phase: this.phase,
      elapsedMs: this.runNs / NS_PER_MS,
      actors,
      locks,
      counters: runCounters(source, deviceCount),
      devices: activities.map((activity, device) => ({ counters: deviceCounters(source, device), activity })),
    };
  }

  /** Whether somebody wants something that cannot wait for the time to come. */
  private look(): boolean {
    this.showProgress();
    return this.held.isAsked;
  }

  /** A look that loses patience with programs that do not come to rest: under `virtual` by steps, since its clock says nothing of how long somebody waits. */
  private atMost(message: string): () => boolean {
    const isVirtual = this.config.executor === 'virtual';
    const spent = (): number => (isVirtual ? this.fleet.steps : performance.now());
    const end = spent() + (isVirtual ? restStepsMax(this.config) : REST_GRACE_MS);
    return () => {
      if (!this.isAtRest && spent() > end) throw new ActorFailure('all', message, true);
      return false;
    };
  }

  private showProgress(): void {
    const { onProgress } = this.options;
    const nowMs = performance.now();
    if (onProgress === undefined || nowMs - this.lastProgressMs < PROGRESS_EVERY_MS / 2) return;
    this.lastProgressMs = nowMs;
    const elapsedMs = this.runNs / NS_PER_MS;
    const { durationMs } = this.config;
    onProgress({
      phase: this.phase,
      elapsedMs,
      remainingMs: Number.isFinite(durationMs) ? Math.max(0, durationMs - elapsedMs) : null,
      actors: this.statuses.read(this.conducted),
      counters: runCounters(
        { observation: new Observation(this.observed), snapshots: null },
        this.config.deviceCount,
      ),
      loads: this.statuses.readLoads(),
      violation: this.violation,
    });
  }

  /** Since the start, without the time for which it was held for those who watch it. */
  private get runNs(): number {
    return (this.heldSinceNs ?? this.fleet.now()) - this.heldNs;
  }

  private get ranNs(): number {
    return this.runNs - this.verifiedNs;
  }

  private get violation(): string | null {
    const broken = this.checks.findLast(({ ok }) => !ok);
    return broken === undefined ? null : `${broken.name}: ${broken.detail}`;
  }

  private report(failure: RunFailure | null): RunReport {
    return {
      scenario: this.config.name,
      executor: this.config.executor,
      seed: this.config.seed,
      outcome: this.outcome,
      ...observedReport(this.observed, this.config, this.devices),
      workloads: this.results,
      checks: this.checks,
      driverEvents: this.driverEvents,
      failure,
      programsNs: this.programsNs ?? this.ranNs,
      simulatedNs: this.config.executor === 'virtual' ? this.runNs : 0,
      wallNs: (performance.now() - this.startedWallMs - this.heldWallMs) * NS_PER_MS,
      verifications: this.verifications,
      steps: this.fleet.steps,
    };
  }
}
