/** Runs one case on a machine of its own. */

import { performance } from 'node:perf_hooks';
import type { Case } from '../../case/caseSchema.js';
import type { PlainOp, Step } from '../../case/opSchemas.js';
import { canDo } from '../../workload/case/opTable.js';
import type { CaseDriver } from '../../workload/workloadConfig.js';
import type { ExecutorName } from '../simulationConfig.js';
import { caseDriver, caseMachine } from './caseMachine.js';
import type { CaseReport } from './caseReport.js';
import { runOnThreads } from './threadsCase.js';
import { VirtualCase } from './virtualCase.js';

export interface CaseOptions {
  readonly executor: ExecutorName;
  readonly seed: number;
  /** Ends the case early; it then rejects with an AbortError. */
  readonly signal?: AbortSignal;
}

/** Failures of the simulated system are in the report; it rejects only for errors of the simulator itself. */
export async function runCase(one: Case, options: CaseOptions): Promise<CaseReport> {
  const startMs = performance.now();
  const missing = missingOp(one.steps, caseDriver(one));
  const head = { suite: one.suite, name: one.name, variant: one.variant ?? null };
  if (missing !== null) {
    return { ...head, status: 'skip', problems: [], missing, verifications: 0, wallMs: 0 };
  }
  const config = caseMachine(one, options.executor, options.seed);
  const { problems, verifications } =
    options.executor === 'threads'
      ? await runOnThreads(one, config, options.signal)
      : new VirtualCase(one, config).run();
  const status = problems.length === 0 ? 'pass' : 'fail';
  const wallMs = performance.now() - startMs;
  return { ...head, status, problems, missing: null, verifications, wallMs };
}

/** The first operation that the driver of the case does not have. */
function missingOp(steps: readonly Step[], driver: CaseDriver): PlainOp | null {
  for (const step of steps) {
    const missing = missingIn(step, driver);
    if (missing !== null) return missing;
  }
  return null;
}

function missingIn(step: Step, driver: CaseDriver): PlainOp | null {
  switch (step.op) {
    case 'concurrent':
      return missingOp(step.args.branches.flat(), driver);
    case 'repeat':
    case 'repeat_processes':
      return missingOp(step.args.steps, driver);
    default:
      return canDo(driver, step.op) ? null : step.op;
  }
}
