/** How a run is judged in which one allocation fails: by the step that meets the failure, and by what it leaves behind. */

import type { Case } from '../../case/caseSchema.js';
import { mayFailWith } from '../../case/failureErrnos.js';
import type { Step } from '../../case/opSchemas.js';
import { formatRet, type StepResult } from '../../case/stepResult.js';
import { allocSiteName, type FailureInjector } from '../../memory/failureInjector.js';
import { caseDriver } from './caseMachine.js';
import type { CaseProblem } from './caseReport.js';
import type { CaseTrial } from './caseTrial.js';

/** Steps that a run goes on after the one with the failure: those most likely to meet what it left half made; the rest is as good as in any other run. */
export const STEPS_AFTER_FAILURE = 2;

/** Sequences whose order depends on the schedule: which step an allocation belongs to cannot be told. */
const concurrentOps: ReadonlySet<string> = new Set(['concurrent', 'repeat_processes']);

function isConcurrent(step: Step): boolean {
  return concurrentOps.has(step.op) || (step.op === 'repeat' && step.args.steps.some(isConcurrent));
}

/** Up to the failure it is the run in which nothing fails, of which every step was checked. */
export class FailingRun {
  readonly trial: CaseTrial;
  private ended = 0;
  private endedSince = 0;
  private isJudged: boolean;
  private readonly isTestDevice: boolean;
  private readonly wrong: CaseProblem[] = [];

  constructor(
    one: Case,
    private readonly injector: FailureInjector,
    /** What each step gives when nothing fails, in the order in which they end. */
    private readonly plain: readonly StepResult[],
    stepsAfter = STEPS_AFTER_FAILURE,
  ) {
    this.isJudged = one.steps.some(isConcurrent);
    this.isTestDevice = caseDriver(one) === 'mirror';
    this.trial = {
      injector,
      afterStep: (step, result) => this.stepEnded(step, result),
      isChecked: () => injector.injected > 0,
      isOver: () => this.endedSince > stepsAfter,
    };
  }

  /** What is wrong with the run in which the `n`-th allocation failed, with what its checks found. */
  problems(n: number, found: readonly CaseProblem[]): CaseProblem[] {
    const { lastSite } = this.injector;
    const site = lastSite === null ? 'none' : allocSiteName(lastSite);
    return [...found, ...this.wrong].map((problem) => ({
      ...problem,
      step: `with allocation ${n} failing (${site}): ${problem.step}`,
    }));
  }

  private stepEnded(step: Step, result: StepResult): void {
    const expected = this.plain[this.ended++];
    if (this.injector.injected === 0) return;
    this.endedSince++;
    if (this.isJudged) return;
    this.isJudged = true;
    const problem = this.judge(step, result, expected);
    if (problem !== null) this.wrong.push(problem);
  }

  /** The step in which the allocation failed gave what it gives without that, or an error that the kernel gives then. */
  private judge(step: Step, result: StepResult, plain: StepResult | undefined): CaseProblem | null {
    if (result.ret === plain?.ret || mayFailWith(step.op, result.ret, this.isTestDevice)) return null;
    return {
      step: step.op,
      expectation: 'an error that the kernel gives when memory is short',
      found: `ret ${formatRet(result.ret)}`,
      pages: [],
    };
  }
}
