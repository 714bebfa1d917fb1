/** Runs one case under the virtual executor: all invariants after every step, when everything stands still, and expectations as they come due. */

import { assert } from '../../base/assert.js';
import type { Case } from '../../case/caseSchema.js';
import { evaluate, type Mismatch } from '../../case/evaluate.js';
import { isOfWhole, labelsOf } from '../../case/expectedSteps.js';
import type { CaseExpectation } from '../../case/expectSchemas.js';
import type { CaseResults } from '../../case/stepResult.js';
import type { CheckResult } from '../../check/checkResult.js';
import { RandomStrategy } from '../../sim/virtual/randomStrategy.js';
import { CaseProgram } from '../../workload/case/caseProgram.js';
import { allocateBuffers } from '../sharedBuffers.js';
import type { SimulationConfig } from '../simulationConfig.js';
import { VirtualFleet } from '../virtualFleet.js';
import type { VirtualMachine } from '../virtualMachine.js';
import { Breather } from './breather.js';
import type { CaseProblem } from './caseReport.js';
import { type CaseTrial, injectEverywhere } from './caseTrial.js';
import { describePages } from './describePages.js';
import { describeStep } from './describeStep.js';

/** More than any case needs: whoever is not at an end then never will be. */
const STEPS_MAX = 50_000_000;

export interface VirtualCaseResult {
  readonly problems: readonly CaseProblem[];
  readonly verifications: number;
  /** The simulator has failed, and not the case. */
  readonly isInternal?: true;
}

export class VirtualCase {
  private readonly fleet: VirtualFleet;
  private readonly program: CaseProgram;
  private readonly problems: CaseProblem[] = [];
  private verifications = 0;
  /** Between two steps of branches, with every thread at its gate. */
  private isStandingStill = false;
  private final: CaseResults | null = null;
  private isInternal = false;
  /** Of labelled steps: what to hold against them when they have run. */
  private readonly due = new Map<string, CaseExpectation[]>();
  private readonly later: CaseExpectation[] = [];
  /** Whether the run is to pause. */
  private isBreathless: (() => boolean) | undefined = undefined;
  private isChecked = (): boolean => true;
  private isOver = (): boolean => false;

  constructor(
    private readonly one: Case,
    config: SimulationConfig,
    /** Null for a run that is judged by the expectations of the case. */
    trial: CaseTrial | null = null,
    buffers = allocateBuffers(config),
  ) {
    const strategy = new RandomStrategy(config.seed);
    strategy.newExecution();
    this.fleet = new VirtualFleet(config, buffers, strategy);
    const { workload } = this.fleet.cpus[0];
    assert(workload instanceof CaseProgram, 'the first thread runs no case');
    this.program = workload;
    if (trial === null) this.sortExpectations();
    else this.prepare(trial);
  }

  /** For whoever wants its memory for the next run. */
  get machine(): VirtualMachine {
    return this.fleet;
  }

  /** At once, without a turn for anything else. */
  run(): VirtualCaseResult {
    const work = this.work();
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return value;
    }
  }

  /** The same, with turns of the event loop in between. Rejects with an AbortError when the signal ends it first. */
  async runPolitely(signal: AbortSignal | undefined): Promise<VirtualCaseResult> {
    const breather = new Breather();
    this.isBreathless = breather.isDue;
    const work = this.work();
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return value;
      await breather.breathe(signal);
    }
  }

  /** Yields where it may pause: what is simulated does not depend on that. */
  private *work(): Generator<void, VirtualCaseResult, void> {
    yield* this.runProgram();
    if (this.problems.length === 0 && this.final !== null)
      this.report(evaluate(this.later, this.withEvents(this.final)));
    if (this.problems.length === 0) yield* this.tearDown();
    const { problems, verifications, isInternal } = this;
    return { problems, verifications, ...(isInternal && ({ isInternal } as const)) };
  }

  private prepare({ injector, afterStep, isChecked, isOver, observer }: CaseTrial): void {
    injectEverywhere(this.fleet, injector);
    if (isChecked !== undefined) this.isChecked = isChecked;
    if (isOver !== undefined) this.isOver = isOver;
    if (observer !== undefined) this.fleet.executor.addObserver(observer);
    for (const { workload } of this.fleet.cpus) {
      if (workload instanceof CaseProgram) workload.watcher = afterStep;
    }
  }

  /** What the drivers have reported comes from the Coordinator, which programs do not see. */
  private withEvents(results: CaseResults): CaseResults {
    return { ...results, events: this.fleet.coordinator.driverEvents() };
  }

  /** Those that look at steps wait for the last of them; others, and steps that run several times, for the end. */
  private sortExpectations(): void {
    const order = this.one.steps.map(({ as }) => as);
    for (const expectation of this.one.expect) {
      const places = labelsOf(expectation).map((label) => order.indexOf(label));
      const label = isOfWhole(expectation) || places.includes(-1) ? undefined : order[Math.max(...places)];
      if (label === undefined) this.later.push(expectation);
      else this.due.set(label, [...(this.due.get(label) ?? []), expectation]);
    }
  }

  private *runProgram(): Generator<void, void, void> {
    const { cpus, executor } = this.fleet;
    const [first, ...others] = cpus;
    first.host.holdAtCheckpoints(executor);
    first.start(({ caseResults }) => {
      this.final = caseResults ?? null;
    });
    for (const other of others) {
      if (other.workload instanceof CaseProgram) other.workload.branchStepEnded = () => this.standStill();
      other.start(() => {});
    }
    while (this.problems.length === 0) {
      if (!(yield* this.runUntilStill())) return;
      if (this.isStandingStill) {
        this.lookAtBranches();
        continue;
      }
      if (this.final !== null) {
        this.reportBroken(this.final);
        return;
      }
      if (first.host.isHeld) {
        this.lookAround();
        if (this.isOver()) first.requestStop();
        first.host.goOn();
      } else {
        this.fail('to go on', this.deadlock());
      }
    }
  }

  /** False when the run cannot go on. */
  private *runUntilStill(): Generator<void, boolean, void> {
    const { executor } = this.fleet;
    const stepsEnd = executor.steps + STEPS_MAX;
    let end = executor.run(this.isBreathless, STEPS_MAX);
    while (end === 'stopped') {
      yield;
      end = executor.run(this.isBreathless, stepsEnd - executor.steps);
    }
    if (end === 'failed') {
      const { failure } = executor;
      this.fail('no failure', failure?.message ?? 'a task failed');
      if (failure?.name === 'InternalFailure') this.isInternal = true;
    } else if (end === 'out-of-steps') {
      this.fail('an end', `none within ${STEPS_MAX} steps`);
    }
    return end === 'idle';
  }

  /** A step of a branch has ended: no thread begins another one until the rest of the machine has come to an end with what it is doing. */
  private standStill(): void {
    if (this.isStandingStill) return;
    this.isStandingStill = true;
    for (const { thread } of this.fleet.cpus) thread.gate.close(() => {});
  }

  private lookAtBranches(): void {
    this.checkInvariants();
    this.isStandingStill = false;
    for (const { thread } of this.fleet.cpus) thread.gate.open();
  }

  private checkInvariants(): void {
    if (!this.isChecked()) return;
    this.verifications++;
    this.noteChecks(this.fleet.coordinator.violations(this.fleet.snapshots()));
  }

  private lookAround(): void {
    const step = this.one.steps[this.program.lastStep];
    this.checkInvariants();
    const due = step?.as === undefined ? undefined : this.due.get(step.as);
    if (due !== undefined) this.report(evaluate(due, this.withEvents(this.program.results())));
  }

  private noteChecks(checks: readonly CheckResult[]): void {
    for (const { ok, name, detail } of checks) {
      if (!ok) this.fail(`invariant ${name}`, detail);
    }
  }

  private report(mismatches: readonly Mismatch[]): void {
    for (const { step, expected, found, pages, expectation } of mismatches) {
      const index = this.one.steps.findIndex(({ as }) => as !== undefined && as === step);
      const at = this.one.steps[index];
      this.problems.push({
        step: at === undefined ? (step ?? 'end') : describeStep(at, index),
        expectation: `${expectation.type}: ${expected}`,
        found,
        pages:
          at === undefined ? [] : describePages(this.fleet.coordinator.coordinator, this.program, at, pages),
      });
    }
  }

  private reportBroken({ broken }: CaseResults): void {
    if (broken === null) return;
    const index = Number.parseInt(broken.step, 10);
    const step = this.one.steps[index];
    const pages =
      step === undefined ? [] : describePages(this.fleet.coordinator.coordinator, this.program, step, []);
    this.problems.push({
      step: broken.step,
      expectation: 'the step to be carried out',
      found: broken.found,
      pages,
    });
  }

  private fail(expectation: string, found: string): void {
    const index = Math.max(0, this.program.lastStep + (expectation.startsWith('invariant') ? 0 : 1));
    const step = this.one.steps[index];
    const name = step === undefined ? 'end' : describeStep(step, index);
    this.problems.push({ step: name, expectation, found, pages: [] });
  }

  private deadlock(): string {
    const { coordinator, cpus, devices } = this.fleet;
    const waits = [coordinator, ...devices, ...cpus].flatMap((actor) => actor.waits());
    return `every task waits for another: ${waits.join('; ')}`;
  }

  private *tearDown(): Generator<void, void, void> {
    const { coordinator } = this.fleet;
    coordinator.startTearDown();
    if (!(yield* this.runUntilStill())) return;
    this.noteChecks(coordinator.verifyTornDown(this.fleet.snapshots()));
  }
}
