/** Conducts one run: starts the programs, verifies where the run is held still, ends it in time, and writes the report. */

import type { CheckResult } from '../check/checkResult.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { runCounters } from '../observe/counters.js';
import type { DriverEvent } from '../observe/driverEvents.js';
import { LastEvents } from '../observe/lastEvents.js';
import { Observation } from '../observe/observation.js';
import type { ActorProgress, WorkloadResult } from '../workload/workload.js';
import { ActorFailure, type Fleet } from './fleet.js';
import { observedReport } from './observedReport.js';
import { ProgressReader } from './progressReader.js';
import type { RunFailure, RunOutcome, RunProgress, RunReport } from './runReport.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { RunOptions } from './simulation.js';
import type { SimulationConfig } from './simulationConfig.js';

const NS_PER_MS = 1e6;
/** Between two calls of `onProgress`, on the wall clock's side. */
const PROGRESS_EVERY_MS = 250;
/** After a stop was asked for, programs get this long to reach their next operation. */
const STOP_GRACE_MS = 10_000;
const LAST_STEPS = 12;

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

  constructor(
    private readonly config: SimulationConfig,
    buffers: SharedBuffers,
    private readonly fleet: Fleet,
    private readonly options: RunOptions,
  ) {
    this.observed = new ObserverBuffers(buffers.observer);
    this.statuses = new ProgressReader(this.observed, actorNames(config));
  }

  async run(): Promise<RunReport> {
    let failure: RunFailure | null = null;
    try {
      await this.runPrograms();
      await this.verifyEverything();
      this.driverEvents = await this.fleet.coordinator.driverEvents();
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
    for (const program of programs) {
      // Without a handler a rejection that comes while nobody waits would end the process.
      program.catch(() => {});
    }
    const allEnded = Promise.all(programs);
    await this.untilEnded(allEnded);
    this.results.push(...(await this.fleet.during(allEnded)));
  }

  /** Holds the run for verification whenever it is due, and asks programs to end when the time is up. */
  private async untilEnded(allEnded: Promise<unknown>): Promise<void> {
    const { verifyEveryMs = 0, signal } = this.options;
    let verifyAtNs = verifyEveryMs > 0 ? verifyEveryMs * NS_PER_MS : Number.POSITIVE_INFINITY;
    const endAtNs = this.config.durationMs * NS_PER_MS;
    for (;;) {
      const progressAtNs =
        this.options.onProgress === undefined ? Number.POSITIVE_INFINITY : this.nextProgressNs();
      const waited = await this.fleet.until(allEnded, Math.min(verifyAtNs, endAtNs, progressAtNs), signal);
      this.showProgress();
      if (waited === 'settled') return;
      if (waited === 'aborted' || this.fleet.now() >= endAtNs) {
        this.outcome = waited === 'aborted' ? 'interrupted' : 'time-up';
        return this.stopPrograms(allEnded);
      }
      if (this.fleet.now() >= verifyAtNs) {
        await this.verifyEverything();
        if (!this.passed) return this.stopPrograms(allEnded);
        verifyAtNs = this.fleet.now() + verifyEveryMs * NS_PER_MS;
        this.phase = 'running';
      }
    }
  }

  /** Under `virtual` the simulated clock decides, so progress must not: it then comes at verification points and the end only. */
  private nextProgressNs(): number {
    if (this.config.executor === 'virtual') return Number.POSITIVE_INFINITY;
    return this.fleet.now() + PROGRESS_EVERY_MS * NS_PER_MS;
  }

  private async stopPrograms(allEnded: Promise<unknown>): Promise<void> {
    this.phase = 'ending';
    for (const actor of [...this.fleet.cpus, ...this.fleet.devices]) void actor.requestStop();
    const graceNs = this.config.executor === 'virtual' ? Number.POSITIVE_INFINITY : STOP_GRACE_MS * NS_PER_MS;
    const waited = await this.fleet.until(allEnded, this.fleet.now() + graceNs, undefined);
    if (waited === 'time') throw new ActorFailure('all', 'programs do not stop', true);
  }

  /** Holds every actor between two operations, checks all rules, and lets them go on. */
  private async verifyEverything(): Promise<void> {
    this.phase = 'verifying';
    const verified = await this.fleet.during(this.holdAndVerify());
    this.verifications++;
    this.devices = verified.devices;
    this.checks = verified.checks;
  }

  private async holdAndVerify(): Promise<Verified> {
    const { coordinator, devices, cpus } = this.fleet;
    const others = [...devices, ...cpus];
    await Promise.all(others.map((actor) => actor.pause()));
    await coordinator.pause();
    const snapshots = await Promise.all(devices.map((device) => device.snapshot()));
    const progress = await Promise.all(others.map((actor) => actor.progress()));
    const checks = await coordinator.verify(snapshots, this.byWorkload(progress));
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
    await this.fleet.during(Promise.resolve(coordinator.tearDown()));
    const snapshots = await Promise.all(devices.map((device) => device.snapshot()));
    this.checks = [...this.checks, ...(await coordinator.verifyTornDown(snapshots))];
  }

  private async describeFailure(error: ActorFailure): Promise<RunFailure> {
    const names = actorNames(this.config);
    const index = names.indexOf(error.actor);
    const indexes = index >= 0 ? [index] : names.map((_, i) => i);
    const events = new LastEvents(this.observed, names);
    const lastSteps = indexes.flatMap((i) => events.describeRecent(i, LAST_STEPS));
    const waits = await this.collectWaits();
    return { actor: error.actor, message: error.message, isVerdict: error.isVerdict, lastSteps, waits };
  }

  /** Of those that still answer. */
  private async collectWaits(): Promise<string[]> {
    const { coordinator, devices, cpus } = this.fleet;
    const names = actorNames(this.config);
    const ask = async (
      actor: (typeof devices)[number] | (typeof cpus)[number] | typeof coordinator,
      i: number,
    ) => {
      const timeout = new Promise<readonly string[]>((resolve) => setTimeout(() => resolve([]), 500).unref());
      const lines = await Promise.race([Promise.resolve(actor.waits()).catch(() => []), timeout]);
      return lines.map((line) => `${names[i]}: ${line}`);
    };
    const lines = await Promise.all([coordinator, ...devices, ...cpus].map(ask));
    return lines.flat();
  }

  private showProgress(): void {
    const { onProgress } = this.options;
    const nowMs = performance.now();
    if (onProgress === undefined || nowMs - this.lastProgressMs < PROGRESS_EVERY_MS / 2) return;
    this.lastProgressMs = nowMs;
    const elapsedMs = this.fleet.now() / NS_PER_MS;
    const { durationMs } = this.config;
    onProgress({
      phase: this.phase,
      elapsedMs,
      remainingMs: Number.isFinite(durationMs) ? Math.max(0, durationMs - elapsedMs) : null,
      actors: this.statuses.read(),
      counters: runCounters(
        { observation: new Observation(this.observed), snapshots: null },
        this.config.deviceCount,
      ),
    });
  }

  private report(failure: RunFailure | null): RunReport {
    return {
      scenario: this.config.name,
      executor: this.config.executor,
      seed: this.config.seed,
      outcome: this.outcome,
      ...observedReport(this.observed, this.config.deviceCount, this.devices),
      workloads: this.results,
      checks: this.checks,
      driverEvents: this.driverEvents,
      failure,
      simulatedNs: this.config.executor === 'virtual' ? this.fleet.now() : 0,
      wallNs: (performance.now() - this.startedWallMs) * NS_PER_MS,
      verifications: this.verifications,
      steps: this.fleet.steps,
    };
  }
}
