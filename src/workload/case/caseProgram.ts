/** A case as a workload: thread 0 carries out its steps, one after the other, and stops between two of them to be looked at. */

import { assert } from '../../base/assert.js';
import { formatRet } from '../../case/evaluate.js';
import type { Step } from '../../case/opSchemas.js';
import type { BufferPlace, CaseResults, StepResult } from '../../case/stepResult.js';
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
import { adopt, BranchCalls, type BranchEnd, type BranchJob, BranchServer } from './branches.js';
import { CaseMisuse, CaseThread } from './caseThread.js';
import { commandKernel } from './gpuKernels.js';
import { type AfterStep, type Branches, runStep, runSteps } from './runSteps.js';

/** Stores and loads that raise a signal end a program, so nobody expects them without saying so. */
const raisesSignal = /^(cpu_|read_bytes|verify_lists|build_lists)/;

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
  private broken: CaseResults['broken'] = null;
  private readonly branches: BranchCalls;

  constructor(
    private readonly config: CaseConfig,
    private readonly index: number,
    /** Of the thread that runs the program; devices find their orders there. */
    private readonly payload: CallPayload | null,
  ) {
    this.name = config.name;
    this.branches = new BranchCalls(config.threads);
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
    yield* this.branches.end(thread);
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

  /** Carries out what the first thread hands over. */
  private *serve(host: HostContext): Steps<WorkloadResult> {
    const server = new BranchServer(host, this.index);
    const branches: Branches = {
      concurrent: () => nested(),
      processes: () => nested(),
      barrier: () => server.barrier(),
    };
    const run = (job: BranchJob) => this.runJob(host, job, branches);
    yield* server.serve(run);
    return { workload: this.name, ok: true, detail: 'branches', counts: {} };
  }

  private *runJob(
    host: HostContext,
    job: BranchJob,
    branches: Branches,
  ): Steps<BranchEnd & { thread: CaseThread }> {
    const thread = this.makeThread(host);
    adopt(thread, job);
    let exit = 0;
    try {
      yield* runSteps(thread, job.steps, branches, (step, { ret }) => {
        if (ret !== 0 && step.as === undefined) exit = 1;
      });
    } catch (error) {
      if (!(error instanceof CaseMisuse)) throw error;
      return { thread, exit: 1, misuse: error.message };
    }
    return { thread, exit, misuse: null };
  }

  private *runAll(thread: CaseThread, host: HostContext): Steps<void> {
    for (const step of this.config.program.steps) {
      if (host.stopping) return;
      if (host.gate.isClosed) yield* host.gate.pass();
      const result = yield* this.runOne(thread, step);
      this.lastStep++;
      this.lastResult = result;
      if (step.as !== undefined) thread.results[step.as] = result;
      this.noteBroken(step, result);
      yield* host.checkpoint();
      if (this.broken !== null) return;
    }
  }

  private *runOne(thread: CaseThread, step: Step): Steps<StepResult> {
    const { watcher } = this;
    if (watcher === null) return yield* runStep(thread, step, this.branches, () => {});
    let result: StepResult;
    try {
      result = yield* runStep(thread, step, this.branches, watcher);
    } catch (error) {
      if (!(error instanceof CaseMisuse)) throw error;
      result = { ret: LEFT_OUT };
    }
    watcher(step, result);
    return result;
  }

  private noteBroken(step: Step, result: StepResult): void {
    const isExpected = step.as !== undefined || this.watcher !== null;
    if (isExpected || result.ret === 0 || !raisesSignal.test(step.op)) return;
    this.broken = { step: this.describeStep(this.lastStep), found: `ret ${formatRet(result.ret)}` };
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

/** The other threads are all taken by the block around. */
function nested(): never {
  throw new CaseMisuse('concurrent and repeat_processes cannot be within one another');
}
