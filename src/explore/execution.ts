/** One run of a subject: starts its programs, lets them run under the checkers, and looks at what is left. */

import { evaluate } from '../case/evaluate.js';
import type { CheckResult } from '../check/checkResult.js';
import type { CheckerSet } from '../check/online/checkerSet.js';
import type { RunEnd, VirtualExecutor } from '../sim/virtual/virtualExecutor.js';
import type { VirtualMachine } from '../simulation/virtualMachine.js';
import type { WorkloadResult } from '../workload/workload.js';
import { calm, endKernels } from './disturbers.js';
import type { FirstReport } from './firstReport.js';
import { judgeFailure, judgeResult, judgeStandstill, judgeUnending } from './judge.js';
import type { ReadyMachine } from './machinePark.js';
import { ProgressWatch } from './progress/progressWatch.js';
import type { Subject } from './subject.js';
import type { Verdict } from './verdict.js';

/** Times that a run may take as many steps as it is allowed, as long as it gets on. */
const PARTS_MAX = 8;

/** The programs that have an end get as much time again, undisturbed, before kernels are cut short. */
const CALM_PHASES = 2;

export interface ExecutionLimits {
  /** Steps after which a run counts as one that has no end, unless somebody has got something done by then. */
  readonly stepsMax: number;
  /** Steps after which it is watched for whether it gets anywhere. */
  readonly watchAfter: number;
  /** Steps after which the disturbers are told to stop; from then on everything must come to rest. */
  readonly calmAfter: number;
  /** Workloads that have no end of their own. */
  readonly disturbers: readonly number[];
}

export class Execution {
  readonly machine: VirtualMachine;
  private readonly checkers: CheckerSet;
  private readonly reports: FirstReport;
  private readonly results: WorkloadResult[] = [];
  /** Asked between two steps; true ends the run there. For those who look on. */
  beforeStep: () => boolean = () => false;
  /** Asked likewise; true ends the run, for which there is no more time. */
  isLate: () => boolean = () => false;
  /** It was ended there. */
  isStopped = false;
  /** It still got things done when its steps ran out: neither well nor wrong, only too long. */
  isUndecided = false;
  /** Steps by the time that the programs began, or that the machine began to be taken down. */
  private begunAt = 0;
  private progressWatch: ProgressWatch | null = null;
  private readonly shouldStop = (): boolean => {
    this.verdict ??= this.progressWatch?.verdict ?? null;
    if (this.verdict !== null) return true;
    this.isStopped = this.beforeStep() || this.isLate();
    return this.isStopped;
  };

  constructor(
    private readonly subject: Subject,
    { machine, checkers, reports }: ReadyMachine,
    private readonly limits: ExecutionLimits,
  ) {
    this.machine = machine;
    this.checkers = checkers;
    this.reports = reports;
  }

  /** Null as long as all is well. */
  get verdict(): Verdict | null {
    return this.reports.verdict;
  }

  private set verdict(verdict: Verdict | null) {
    this.reports.verdict = verdict;
  }

  get executor(): VirtualExecutor {
    return this.machine.executor;
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
    return this.verdict === null && !this.isStopped && !this.isUndecided;
  }

  /** Starts the programs; nothing runs before {@link run} or the executor is told to. */
  private start(): void {
    for (const cpu of this.machine.cpus) cpu.start((result) => this.results.push(result));
  }

  /** Until nothing runs any more, or something is wrong. */
  private runOn(): void {
    const { calmAfter, watchAfter, disturbers } = this.limits;
    let end: RunEnd = 'out-of-steps';
    if (disturbers.length > 0) {
      end = this.runUntil(calmAfter);
      calm(this.machine, disturbers);
      if (end === 'out-of-steps' && this.goesOn) end = this.runUntil(CALM_PHASES * calmAfter);
      endKernels(this.machine);
    }
    if (end === 'out-of-steps' && this.goesOn) end = this.runUntil(watchAfter);
    if (end === 'out-of-steps' && this.goesOn) {
      this.watchProgress();
      end = this.runWhileItGetsOn();
    }
    if (this.goesOn) this.verdict = this.judgeEnd(end);
  }

  /** What still gets something done is slow, and no livelock: neither now nor after the last part. */
  private runWhileItGetsOn(): RunEnd {
    const { stepsMax } = this.limits;
    let end: RunEnd = 'out-of-steps';
    for (let part = 1; part <= PARTS_MAX; part++) {
      end = this.runUntil(this.begunAt + part * stepsMax);
      if (end !== 'out-of-steps' || !this.goesOn || !this.hasGotOn()) return end;
    }
    this.isUndecided = true;
    return end;
  }

  private hasGotOn(): boolean {
    return this.progressWatch?.hasGotOn() ?? false;
  }

  private runUntil(steps: number): RunEnd {
    return this.executor.run(this.shouldStop, Math.max(0, steps - this.executor.steps));
  }

  /** Few runs are long enough to need it. */
  private watchProgress(): void {
    if (this.progressWatch !== null) return;
    this.progressWatch = new ProgressWatch(this.machine.parts, this.machine.names);
    this.executor.addObserver(this.progressWatch);
  }

  private judgeEnd(end: RunEnd): Verdict | null {
    const { failure } = this.executor;
    if (failure !== null) return judgeFailure(failure);
    if (end === 'out-of-steps') return judgeUnending(this.machine);
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
    const { coordinator } = this.machine;
    const progress = this.subject.program === null ? this.machine.progress() : null;
    this.noteChecks(coordinator.violations(this.machine.snapshots(), progress), 'invariant');
  }

  private tearDown(): void {
    const { coordinator } = this.machine;
    this.begunAt = this.executor.steps;
    coordinator.startTearDown();
    this.runOn();
    if (!this.goesOn) return;
    this.noteChecks(coordinator.tornDownViolations(this.machine.snapshots()), 'leak');
  }

  private noteChecks(checks: readonly CheckResult[], kind: 'invariant' | 'leak'): void {
    const failed = checks.find(({ ok }) => !ok);
    if (failed === undefined) return;
    const isContent = failed.name === 'M1';
    const [message, ...details] = failed.detail.split('\n');
    this.verdict = { kind: isContent ? 'wrong-data' : kind, invariant: failed.name, message, details };
  }
}
