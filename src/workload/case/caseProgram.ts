/** A case as a workload: thread 0 carries out its steps, one after the other, and stops between two of them to be looked at. */

import { assert } from '../../base/assert.js';
import type { CaseExpectation } from '../../case/expectSchemas.js';
import type { Step } from '../../case/opSchemas.js';
import { type BufferPlace, type CaseResults, formatRet, type StepResult } from '../../case/stepResult.js';
import type { CallPayload } from '../../memory/callPayload.js';
import type { Steps } from '../../sim/steps.js';
import type {
  DeviceKernel,
  Expectation,
  HostContext,
  Progress,
  Workload,
  WorkloadResult,
} from '../workload.js';
import type { CaseConfig } from '../workloadConfig.js';
import { boSizes } from './boSizes.js';
import { BranchCalls, type BranchOutcome, endThreads, serveBranches } from './branches.js';
import { adopt, type BranchJob } from './branchJob.js';
import { breaksCase, brokenLists } from './brokenSteps.js';
import { type BrokenStep, CaseMisuse, CaseThread } from './caseThread.js';
import { commandKernel } from './gpuKernels.js';
import { type AfterStep, runStep, runSteps } from './runSteps.js';

/** What a step gave that could not be carried out, since it needs what another one did not make. */
export const LEFT_OUT = 'left out';

export class CaseProgram implements Workload {
  readonly name: string;
  /** Null before the program runs. */
  thread: CaseThread | null = null;
  /** Index of the step that ended last; -1 before the first. */
  lastStep = -1;
  /** What the step that ended last gave. */
  lastResult: StepResult = { ret: 0 };
  /** Who hears of each step; the program then goes on whatever its steps give. */
  watcher: AfterStep | null = null;
  /** Called when a step of a branch has ended. */
  branchStepEnded: (() => void) | null = null;
  private broken: CaseResults['broken'] = null;
  private readonly branches = new BranchCalls(0, null);
  /** The case says how its processes exit. */
  private readonly judgesExits: boolean;
  /** Labels of steps whose value the case looks at. */
  private readonly valuesOf: ReadonlySet<string>;

  constructor(
    private readonly config: CaseConfig,
    private readonly index: number,
    /** Of the thread that runs the program; devices find their orders there. */
    private readonly payload: CallPayload | null,
  ) {
    this.name = config.name;
    this.valuesOf = new Set(labelsOfValues(config.program.expect));
    this.judgesExits = config.program.expect.some(({ type }) => type === 'all_processes_exit');
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    if (this.config.thread > 0) return yield* this.serve(host);
    const thread = this.makeThread(host);
    this.thread = thread;
    try {
      yield* this.runAll(thread, host);
    } catch (error) {
      if (!(error instanceof CaseMisuse)) throw error;
      this.broken = { step: this.describeStep(this.lastStep + 1), found: error.message };
    }
    yield* endThreads(host, this.config.threads);
    return {
      workload: this.name,
      ok: this.broken === null,
      detail: `${this.lastStep + 1} steps`,
      counts: { steps: this.lastStep + 1 },
      caseResults: this.results(),
    };
  }

  kernel(): DeviceKernel {
    assert(this.payload !== null, 'a case without a payload launches a kernel');
    return commandKernel(this.payload);
  }

  progress(): Progress {
    return {};
  }

  expect(): Expectation[] {
    return [];
  }

  /** What the steps so far gave. */
  results(): CaseResults {
    const { thread } = this;
    return {
      steps: thread?.results ?? {},
      events: [],
      buffers: this.places(),
      exits: this.branches.exits,
      readerResults: thread?.readerResults ?? [],
      broken: this.broken,
    };
  }

  private makeThread(host: HostContext): CaseThread {
    const thread = new CaseThread(host, this.config.driver, this.index);
    thread.boPages = boSizes(this.config.program.steps);
    return thread;
  }

  /** Carries out what other threads hand over. */
  private *serve(host: HostContext): Steps<WorkloadResult> {
    const makeThread = (job: BranchJob): CaseThread => {
      const thread = this.makeThread(host);
      adopt(thread, job);
      return thread;
    };
    yield* serveBranches(host, this.index, makeThread, (thread, job, calls) =>
      this.runJob(thread, job, calls),
    );
    return { workload: this.name, ok: true, detail: 'branches', counts: {} };
  }

  private *runJob(thread: CaseThread, job: BranchJob, calls: BranchCalls): Steps<BranchOutcome> {
    let exit = 0;
    try {
      yield* runSteps(thread, job.steps, calls, (step, result) => {
        if ((result.ret !== 0 && step.as === undefined) || this.brokenBy(step, result) !== null) exit = 1;
        // The failed step of such a process is for its exit code to tell, where the case looks at that.
        if (!job.exits || !this.judgesExits) this.noteStep(thread, step, result);
        else this.watcher?.(step, result);
        this.branchStepEnded?.();
      });
    } catch (error) {
      if (!(error instanceof CaseMisuse)) throw error;
      return { exit: 1, misuse: error.message };
    }
    return { exit, misuse: null };
  }

  private *runAll(thread: CaseThread, host: HostContext): Steps<void> {
    for (const step of this.config.program.steps) {
      if (host.stopping) return;
      if (host.gate.isClosed) yield* host.gate.pass();
      const result = yield* this.runOne(thread, step);
      this.lastStep++;
      this.lastResult = result;
      if (step.as !== undefined) thread.note(step.as, result);
      this.noteStep(thread, step, result);
      if (thread.broken !== null) this.broken = this.brokenStep(this.lastStep, thread.broken);
      yield* host.checkpoint();
      if (this.broken !== null) return;
    }
  }

  private *runOne(thread: CaseThread, step: Step): Steps<StepResult> {
    const after: AfterStep = (inner, result) => this.noteStep(thread, inner, result);
    if (this.watcher === null) return yield* runStep(thread, step, this.branches, after);
    try {
      return yield* runStep(thread, step, this.branches, after);
    } catch (error) {
      if (!(error instanceof CaseMisuse)) throw error;
      return { ret: LEFT_OUT };
    }
  }

  private noteStep(thread: CaseThread, step: Step, result: StepResult): void {
    const { watcher } = this;
    if (watcher !== null) watcher(step, result);
    else if (thread.broken === null) thread.broken = this.brokenBy(step, result);
  }

  private brokenBy(step: Step, result: StepResult): BrokenStep | null {
    const { op } = step;
    if (breaksCase(step, result)) return { op, found: `ret ${formatRet(result.ret)}` };
    const found = this.judgesLists(step) ? null : brokenLists(step, result);
    return found === null ? null : { op, found };
  }

  /** The case says itself how many elements are right. */
  private judgesLists({ as }: Step): boolean {
    return as !== undefined && this.valuesOf.has(as);
  }

  /** A step within a block is told with the block. */
  private brokenStep(index: number, { op, found }: BrokenStep): CaseResults['broken'] {
    const outer = this.config.program.steps[index];
    const inner = outer !== undefined && outer.op !== op ? `: ${op} within it` : '';
    return { step: `${this.describeStep(index)}${inner}`, found };
  }

  private describeStep(index: number): string {
    const step = this.config.program.steps[index];
    return step === undefined
      ? `${index}`
      : `${index} (${step.op}${step.as === undefined ? '' : ` ${step.as}`})`;
  }

  private places(): BufferPlace[] {
    const { thread } = this;
    if (thread === null) return [];
    return [...thread.processes].flatMap(([process, { mm, buffers }]) =>
      [...buffers].map(([name, { start, pages }]) => ({ process, mm, name, start, pages })),
    );
  }
}

function labelsOfValues(expectations: readonly CaseExpectation[]): string[] {
  return expectations.flatMap((one) => {
    if (one.type === 'if_ret_zero') return labelsOfValues(one.then);
    return one.type === 'value' || one.type === 'one_of' ? [one.step] : [];
  });
}
