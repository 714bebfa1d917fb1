/** Runs a case again and again, each time with another one of its allocations failing: every failure must be reported, and harm nothing. */

import type { Case } from '../../case/caseSchema.js';
import { FailureInjector } from '../../memory/failureInjector.js';
import { Breather } from './breather.js';
import type { CaseProblem, FailureRuns } from './caseReport.js';
import { CaseTrials, type PlainRun } from './caseTrials.js';
import { FailingRun } from './failingRun.js';
import { chosenAllocations } from './failurePlan.js';

/** Problems beyond these are of the same kind, most likely. */
const PROBLEMS_MAX = 5;
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
  private readonly trials: CaseTrials;

  constructor(
    private readonly one: Case,
    seed: number,
    private readonly options: FailureOptions,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.trials = new CaseTrials(one, seed);
  }

  async run(): Promise<FailureRuns> {
    const { stride, from = 0, to = Number.POSITIVE_INFINITY } = this.options;
    const plain = this.trials.runPlain();
    this.verifications += plain.verifications;
    this.problems.push(...plain.problems);
    const { allocations } = plain;
    const chosen = chosenAllocations(allocations, stride);
    const counts = { allocations: allocations.length, chosen: chosen.length };
    let runs = 0;
    const breather = new Breather();
    // What is wrong without a failure would be found wrong with each.
    const tried = plain.problems.length === 0 ? chosen.slice(from, to) : [];
    for (const n of tried) {
      this.runFailing(n, plain);
      runs++;
      if (this.problems.length >= PROBLEMS_MAX) break;
      if (breather.isTired) await breather.breathe(this.signal);
    }
    return { ...counts, runs };
  }

  private runFailing(n: number, plain: PlainRun): void {
    const injector = new FailureInjector();
    injector.failNth(n);
    const run = new FailingRun(this.one, injector, plain.results);
    const { problems, verifications } = this.trials.run(run.trial);
    this.verifications += verifications;
    this.problems.push(...run.problems(n, problems));
  }
}
