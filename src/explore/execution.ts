/** One run of a subject: starts its programs, lets them run under the checkers, and looks at what is left. */

import { evaluate } from '../case/evaluate.js';
import type { CheckResult } from '../check/checkResult.js';
import type { ViolationSink } from '../check/online/checker.js';
import type { CheckerPlan, CheckerSet } from '../check/online/checkerSet.js';
import type { RunEnd, VirtualExecutor } from '../sim/virtual/virtualExecutor.js';
import type { VirtualMachine } from '../simulation/virtualMachine.js';
import type { ActorProgress, WorkloadResult } from '../workload/workload.js';
import { judgeFailure, judgeResult, judgeStandstill, judgeUnending } from './judge.js';
import type { Subject } from './subject.js';
import type { RunnerOptions } from './subjectRunner.js';
import type { Verdict } from './verdict.js';

export class Execution implements ViolationSink {
  verdict: Verdict | null = null;
  readonly checkers: CheckerSet;
  private readonly results: WorkloadResult[] = [];
  /** Asked between two steps; true ends the run there. For those who look on. */
  beforeStep: () => boolean = () => false;
  private isStopped = false;
  private readonly shouldStop = (): boolean => {
    if (this.verdict !== null) return true;
    this.isStopped = this.beforeStep();
    return this.isStopped;
  };

  constructor(
    private readonly subject: Subject,
    readonly machine: VirtualMachine,
    private readonly options: RunnerOptions,
    plan: CheckerPlan,
  ) {
    const { parts } = machine;
    this.checkers = plan.attach(parts, this);
  }

  get executor(): VirtualExecutor {
    return this.machine.executor;
  }

  /** The first report is what counts: what comes after it may be its consequence. */
  report(invariant: string, message: string): void {
    this.verdict ??= { kind: 'invariant', invariant, message, details: [] };
  }

  /** To the end, or to the first thing that is wrong. */
  run(): this {
    this.start();
    this.runOn();
    if (this.goesOn) this.judgePrograms();
    if (this.goesOn) this.lookAtRest();
    if (this.goesOn) this.tearDown();
    return this;
  }

  private get goesOn(): boolean {
    return this.verdict === null && !this.isStopped;
  }

  /** Starts the programs; nothing runs before {@link run} or the executor is told to. */
  private start(): void {
    for (const cpu of this.machine.cpus) cpu.start((result) => this.results.push(result));
  }

  /** Until nothing runs any more, or something is wrong. */
  private runOn(): void {
    const left = this.options.stepsMax - this.executor.steps;
    const end = this.executor.run(this.shouldStop, left);
    if (this.goesOn) this.verdict = this.judgeEnd(end);
  }

  private judgeEnd(end: RunEnd): Verdict | null {
    const { failure } = this.executor;
    if (failure !== null) return judgeFailure(failure);
    if (end === 'out-of-steps') return judgeUnending(this.machine, this.options.stepsMax);
    return this.executor.stuckTasks().length > 0 ? judgeStandstill(this.machine) : null;
  }

  private judgePrograms(): void {
    const { program } = this.subject;
    for (const result of this.results) this.verdict ??= judgeResult(result, program);
    if (this.verdict !== null || program === null) return;
    const first = this.results.find(({ caseResults }) => caseResults !== undefined)?.caseResults;
    if (first === undefined) return;
    const events = this.machine.coordinator.driverEvents();
    const [mismatch] = evaluate(program.expect, { ...first, events });
    if (mismatch === undefined) return;
    const { expectation, step, expected, found } = mismatch;
    this.verdict = {
      kind: expectation.type === 'ret' ? 'wrong-result' : 'wrong-data',
      invariant: null,
      message: `${step ?? 'at the end'}: expected ${expected}, found ${found}`,
      details: [],
    };
  }

  private lookAtRest(): void {
    this.checkers.atRest();
    if (this.verdict !== null) return;
    const { coordinator, devices } = this.machine;
    const snapshots = devices.map((device) => device.snapshot());
    const checks =
      this.subject.program === null
        ? coordinator.verify(snapshots, this.progress())
        : coordinator.violations(snapshots);
    this.noteChecks(checks, 'invariant');
  }

  /** By workload: of all devices, then of the thread that runs it. */
  private progress(): ActorProgress[][] {
    const { devices, cpus } = this.machine;
    const ofDevices = devices.map((device) => device.progress());
    return cpus.map((cpu, workload) => [...ofDevices.map((one) => one[workload]), ...cpu.progress()]);
  }

  private tearDown(): void {
    const { coordinator, devices } = this.machine;
    void coordinator.tearDown();
    this.runOn();
    if (!this.goesOn) return;
    this.noteChecks(coordinator.verifyTornDown(devices.map((device) => device.snapshot())), 'leak');
  }

  private noteChecks(checks: readonly CheckResult[], kind: 'invariant' | 'leak'): void {
    const failed = checks.find(({ ok }) => !ok);
    if (failed === undefined) return;
    const isContent = failed.name === 'M1';
    const [message, ...details] = failed.detail.split('\n');
    this.verdict = { kind: isContent ? 'wrong-data' : kind, invariant: failed.name, message, details };
  }
}
