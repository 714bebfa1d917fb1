/** Runs one case with every actor in a thread of its own: expectations and all invariants once, at the end. */

import type { Case } from '../../case/caseSchema.js';
import { evaluate } from '../../case/evaluate.js';
import { stepOf } from '../../case/expectedSteps.js';
import { makeSimulation } from '../makeSimulation.js';
import type { SimulationConfig } from '../simulationConfig.js';
import { WorkerPool } from '../workerPool.js';
import type { CaseProblem } from './caseReport.js';
import { describeStep } from './describeStep.js';

export interface ThreadsCaseResult {
  readonly problems: readonly CaseProblem[];
  readonly verifications: number;
  /** An actor was lost, in contrast to one that found a rule broken. */
  readonly isInternal?: true;
}

/** For the cases that follow. */
const workers = new WorkerPool();

/** Rejects with an AbortError when the signal ends it first. */
export async function runOnThreads(
  one: Case,
  config: SimulationConfig,
  signal: AbortSignal | undefined,
): Promise<ThreadsCaseResult> {
  const report = await makeSimulation(config).run({ workers, ...(signal === undefined ? {} : { signal }) });
  signal?.throwIfAborted();
  const problems: CaseProblem[] = [];
  const note = (step: string, expectation: string, found: string): void => {
    problems.push({ step, expectation, found, pages: [] });
  };
  if (report.failure !== null) note('run', 'no failure', report.failure.message);
  for (const { caseResults } of report.workloads.slice(0, 1)) {
    if (caseResults === undefined) continue;
    const { broken } = caseResults;
    if (broken !== null) note(broken.step, 'the step to be carried out', broken.found);
    for (const mismatch of evaluate(one.expect, { ...caseResults, events: report.driverEvents })) {
      const label = stepOf(mismatch.expectation);
      const index = one.steps.findIndex(({ as }) => as !== undefined && as === label);
      const step = one.steps[index];
      const name = step === undefined ? (label ?? 'end') : describeStep(step, index);
      note(name, `${mismatch.expectation.type}: ${mismatch.expected}`, mismatch.found);
    }
  }
  for (const { name, ok, detail } of report.checks) if (!ok) note('end', `invariant ${name}`, detail);
  const outcome = { problems, verifications: report.verifications };
  return report.failure?.isVerdict === false ? { ...outcome, isInternal: true } : outcome;
}
