/** Runs a case again and again, each time with another one of its allocations failing: every failure must be reported, and harm nothing. */

import { performance } from 'node:perf_hooks';
import type { Case } from '../../case/caseSchema.js';
import { formatRet } from '../../case/evaluate.js';
import { mayFailWith } from '../../case/failureErrnos.js';
import type { Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import { type AllocSite, allocSiteName, FailureInjector } from '../../memory/failureInjector.js';
import { caseMachine } from './caseMachine.js';
import type { CaseProblem } from './caseReport.js';
import type { CaseTrial } from './caseTrial.js';
import { VirtualCase } from './virtualCase.js';

/** Problems beyond these are of the same kind, most likely. */
const PROBLEMS_MAX = 5;
const BREATHE_MS = 50;

/** Sequences whose order depends on the schedule: which step an allocation belongs to cannot be told. */
const concurrentOps: ReadonlySet<string> = new Set(['concurrent', 'repeat_processes']);

function isConcurrent(step: Step): boolean {
  return concurrentOps.has(step.op) || (step.op === 'repeat' && step.args.steps.some(isConcurrent));
}

export interface FailureSweep {
  readonly problems: readonly CaseProblem[];
  readonly verifications: number;
  /** Runs in which an allocation failed. */
  readonly failureRuns: number;
}

/**
 * Of allocations of the same site within one step, the first and the last fail, and every `stride`-th between them; 1 for all. Rejects with an
 * AbortError when the signal ends it first.
 */
export async function failEachAllocation(
  one: Case,
  seed: number,
  stride: number,
  signal: AbortSignal | undefined,
): Promise<FailureSweep> {
  const sweep = new Sweep(one, seed, stride, signal);
  await sweep.run();
  return sweep;
}

class Sweep implements FailureSweep {
  readonly problems: CaseProblem[] = [];
  verifications = 0;
  failureRuns = 0;
  /** What each step gives when nothing fails, in the order in which they end. */
  private plain: readonly StepResult[] = [];
  private readonly isOrdered: boolean;

  constructor(
    private readonly one: Case,
    private readonly seed: number,
    private readonly stride: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.isOrdered = !one.steps.some(isConcurrent);
  }

  async run(): Promise<void> {
    let breathedMs = performance.now();
    for (const n of chosenAllocations(this.runPlain(), this.stride)) {
      this.runFailing(n);
      if (this.problems.length >= PROBLEMS_MAX) return;
      if (performance.now() - breathedMs > BREATHE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        breathedMs = performance.now();
      }
      this.signal?.throwIfAborted();
    }
  }

  /** The allocations of a run without failures. */
  private runPlain(): readonly Allocation[] {
    const results: StepResult[] = [];
    const injector = new AllocationLog(() => results.length);
    this.runTrial({ injector, afterStep: (_, result) => results.push(result) });
    this.plain = results;
    return injector.allocations;
  }

  private runFailing(n: number): void {
    const injector = new FailureInjector();
    injector.failNth(n);
    let ended = 0;
    let isJudged = !this.isOrdered;
    const wrong: CaseProblem[] = [];
    const afterStep = (step: Step, result: StepResult): void => {
      const expected = this.plain[ended++];
      if (isJudged || injector.injected === 0) return;
      isJudged = true;
      const problem = judge(step, result, expected);
      if (problem !== null) wrong.push(problem);
    };
    const found = this.runTrial({ injector, afterStep });
    this.failureRuns++;
    const site = injector.lastSite === null ? 'none' : allocSiteName(injector.lastSite);
    for (const problem of [...found, ...wrong]) {
      this.problems.push({ ...problem, step: `with allocation ${n} failing (${site}): ${problem.step}` });
    }
  }

  private runTrial(trial: CaseTrial): readonly CaseProblem[] {
    const config = caseMachine(this.one, 'virtual', this.seed);
    const { problems, verifications } = new VirtualCase(this.one, config, trial).run();
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

interface Allocation {
  readonly step: number;
  readonly site: AllocSite;
}

/** Fails nothing, and writes down what is asked. */
class AllocationLog extends FailureInjector {
  readonly allocations: Allocation[] = [];

  constructor(private readonly step: () => number) {
    super();
  }

  override shouldFail(site: AllocSite): boolean {
    this.allocations.push({ step: this.step(), site });
    return super.shouldFail(site);
  }
}

/** Numbers of allocations, from 1: of each site in each step the first, the last, and every `stride`-th between them. */
export function chosenAllocations(allocations: readonly Allocation[], stride: number): number[] {
  const groups = new Map<string, number[]>();
  allocations.forEach(({ step, site }, i) => {
    const key = `${step} ${site}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i + 1]);
    else group.push(i + 1);
  });
  return [...groups.values()]
    .flatMap((group) => group.filter((_, i) => i % stride === 0 || i === group.length - 1))
    .sort((a, b) => a - b);
}
