/** Runs one case on a machine of its own. */

import { performance } from 'node:perf_hooks';
import type { Case } from '../../case/caseSchema.js';
import { unknownNeed } from '../../case/knownNeeds.js';
import type { ExecutorName } from '../simulationConfig.js';
import { withChecks } from '../withChecks.js';
import { caseMachine } from './caseMachine.js';
import type { CaseReport } from './caseReport.js';
import { type FailureOptions, failEachAllocation } from './failureSweep.js';
import { runOnThreads } from './threadsCase.js';
import { VirtualCase } from './virtualCase.js';

export interface CaseOptions {
  readonly executor: ExecutorName;
  readonly seed: number;
  /** Which invariants are watched step by step; none unless told. */
  readonly checks?: string;
  /** The case is not held against its expectations but runs again and again under `virtual`, each time with another allocation failing. */
  readonly failures?: FailureOptions;
  /** Ends the case early; it then rejects with an AbortError. */
  readonly signal?: AbortSignal;
}

/** Failures of the simulated system are in the report; it rejects only for errors of the simulator itself. */
export async function runCase(one: Case, options: CaseOptions): Promise<CaseReport> {
  const startMs = performance.now();
  const missing = unknownNeed(one.needs);
  const head = { suite: one.suite, name: one.name, variant: one.variant ?? null };
  if (missing !== null) {
    return { ...head, status: 'skip', problems: [], missing, verifications: 0, wallMs: 0 };
  }
  const outcome = await carryOut(one, options);
  const status = outcome.problems.length === 0 ? 'pass' : 'fail';
  const wallMs = performance.now() - startMs;
  const nothing = one.expect.length === 0 ? ({ expectsNothing: true } as const) : {};
  return { ...head, status, missing: null, wallMs, ...nothing, ...outcome };
}

interface Outcome extends Pick<CaseReport, 'problems' | 'verifications' | 'failures' | 'isInternal'> {}

async function carryOut(
  one: Case,
  { executor, seed, checks, failures, signal }: CaseOptions,
): Promise<Outcome> {
  if (failures !== undefined) return failEachAllocation(one, seed, failures, signal);
  const config = withChecks(caseMachine(one, executor, seed), checks ?? 'none');
  return executor === 'threads'
    ? runOnThreads(one, config, signal)
    : new VirtualCase(one, config).runPolitely(signal);
}
