/** Runs a case again and again, each time with another one of its allocations failing: every failure must be reported, and harm nothing. */

import { performance } from 'node:perf_hooks';
import type { Case } from '../../case/caseSchema.js';
import { mayFailWith } from '../../case/failureErrnos.js';
import type { Step } from '../../case/opSchemas.js';
import { formatRet, type StepResult } from '../../case/stepResult.js';
import { allocSiteName, FailureInjector } from '../../memory/failureInjector.js';
import { BufferEraser } from '../bufferEraser.js';
import { allocateBuffers, type SharedBuffers } from '../sharedBuffers.js';
import type { SimulationConfig } from '../simulationConfig.js';
import { caseMachine } from './caseMachine.js';
import type { CaseProblem, FailureRuns } from './caseReport.js';
import type { CaseTrial } from './caseTrial.js';
import { AllocationLog, chosenAllocations } from './failurePlan.js';
import { VirtualCase } from './virtualCase.js';

/** Problems beyond these are of the same kind, most likely. */
const PROBLEMS_MAX = 5;
const BREATHE_MS = 50;
/** Steps that a run goes on after the one with the failure: those most likely to meet what it left half made; the rest is as good as in any other run. */
const STEPS_AFTER_FAILURE = 2;

/** Sequences whose order depends on the schedule: which step an allocation belongs to cannot be told. */
const concurrentOps: ReadonlySet<string> = new Set(['concurrent', 'repeat_processes']);

function isConcurrent(step: Step): boolean {
  return concurrentOps.has(step.op) || (step.op === 'repeat' && step.args.steps.some(isConcurrent));
}

export interface FailureOptions {
  /** Of the rounds of one loop only the first two, the last two and every so many between them fail; 1 for all. */
  readonly stride: number;
  /** Only these of the runs, counted from 0: several workers share them. */
  readonly from?: number;
  readonly to?: number;
}

export interface FailureSweep {
  readonly problems: readonly CaseProblem[];
  readonly verifications: number;
  readonly failures: FailureRuns;
}

/** Rejects with an AbortError when the signal ends it first. */
export async function failEachAllocation(
  one: Case,
  seed: number,
  options: FailureOptions,
  signal: AbortSignal | undefined,
): Promise<FailureSweep> {
  const sweep = new Sweep(one, seed, options, signal);
  const failures = await sweep.run();
  return { problems: sweep.problems, verifications: sweep.verifications, failures };
}

class Sweep {
  readonly problems: CaseProblem[] = [];
  verifications = 0;
  /** What each step gives when nothing fails, in the order in which they end. */
  private plain: readonly StepResult[] = [];
  private readonly isOrdered: boolean;
  private readonly config: SimulationConfig;
  /** Of one run after the other. */
  private readonly buffers: SharedBuffers;
  private readonly eraser: BufferEraser;

  constructor(
    private readonly one: Case,
    seed: number,
    private readonly options: FailureOptions,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.config = caseMachine(one, 'virtual', seed);
    this.buffers = allocateBuffers(this.config);
    this.eraser = new BufferEraser(this.config, this.buffers);
    this.isOrdered = !one.steps.some(isConcurrent);
  }

  async run(): Promise<FailureRuns> {
    const { stride, from = 0, to = Number.POSITIVE_INFINITY } = this.options;
    const { allocations } = this.runPlain();
    const chosen = chosenAllocations(allocations, stride);
    const counts = { allocations: allocations.length, chosen: chosen.length };
    let runs = 0;
    let breathedMs = performance.now();
    for (const n of chosen.slice(from, to)) {
      this.runFailing(n);
      runs++;
      if (this.problems.length >= PROBLEMS_MAX) break;
      if (performance.now() - breathedMs > BREATHE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        breathedMs = performance.now();
      }
      this.signal?.throwIfAborted();
    }
    return { ...counts, runs };
  }

  private runPlain(): AllocationLog {
    const results: StepResult[] = [];
    const log = new AllocationLog(() => results.length);
    this.runTrial({ injector: log, observer: log, afterStep: (_, result) => results.push(result) });
    this.plain = results;
    return log;
  }

  /** Up to the failure it is the run in which nothing fails, of which every step was checked. */
  private runFailing(n: number): void {
    const injector = new FailureInjector();
    injector.failNth(n);
    let ended = 0;
    let endedSince = 0;
    let isJudged = !this.isOrdered;
    const wrong: CaseProblem[] = [];
    const afterStep = (step: Step, result: StepResult): void => {
      const expected = this.plain[ended++];
      if (injector.injected === 0) return;
      endedSince++;
      if (isJudged) return;
      isJudged = true;
      const problem = judge(step, result, expected);
      if (problem !== null) wrong.push(problem);
    };
    const hasFailed = (): boolean => injector.injected > 0;
    const isOver = (): boolean => endedSince > STEPS_AFTER_FAILURE;
    const found = this.runTrial({ injector, afterStep, isChecked: hasFailed, isOver });
    const site = injector.lastSite === null ? 'none' : allocSiteName(injector.lastSite);
    for (const problem of [...found, ...wrong]) {
      this.problems.push({ ...problem, step: `with allocation ${n} failing (${site}): ${problem.step}` });
    }
  }

  private runTrial(trial: CaseTrial): readonly CaseProblem[] {
    const run = new VirtualCase(this.one, this.config, trial, this.buffers);
    const { problems, verifications } = run.run();
    this.eraser.eraseUsed(run.machine);
    this.eraser.eraseRest();
    this.verifications += verifications;
    return problems;
  }
}

/** The step in which the allocation failed gave what it gives without that, or an error that the kernel gives then. */
function judge(step: Step, result: StepResult, plain: StepResult | undefined): CaseProblem | null {
  if (result.ret === plain?.ret || mayFailWith(step.op, result.ret)) return null;
  return {
    step: step.op,
    expectation: 'an error that the kernel gives when memory is short',
    found: `ret ${formatRet(result.ret)}`,
    pages: [],
  };
}
