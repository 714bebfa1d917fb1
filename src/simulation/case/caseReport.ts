/** What became of a case: plain data for the command line, for JSON and for JUnit. */

import type { Case } from '../../case/caseSchema.js';

export type CaseStatus = 'pass' | 'fail' | 'skip';

/** Something that does not hold. */
export interface CaseProblem {
  /** Number, operation and label of the step. */
  readonly step: string;
  readonly expectation: string;
  readonly found: string;
  /** State of the pages involved, a line each. */
  readonly pages: readonly string[];
}

export interface CaseReport {
  readonly suite: string;
  readonly name: string;
  readonly variant: string | null;
  readonly status: CaseStatus;
  readonly problems: readonly CaseProblem[];
  /** What the simulator lacks for it; null unless it is skipped. */
  readonly missing: string | null;
  /** Points at which all invariants were checked. */
  readonly verifications: number;
  readonly wallMs: number;
  /** The simulator failed, not what it simulates: the case says nothing about that. Absent where it did not. */
  readonly isInternal?: true;
  /** The case says nothing of what its steps give; absent where it does. */
  readonly expectsNothing?: true;
  /** Absent where no allocation was to fail. */
  readonly failures?: FailureRuns;
}

/** Of a case whose allocations fail on purpose, one in each run. */
export interface FailureRuns {
  /** Of a run in which none fails. */
  readonly allocations: number;
  /** Those that are to fail; fewer where rounds of a loop stand for others. */
  readonly chosen: number;
  /** Runs in which one failed. */
  readonly runs: number;
}

/** Of a case that the simulator itself could not bring to an end. */
export function internalCaseReport({ suite, name, variant }: Case, message: string): CaseReport {
  const problem = {
    step: 'run',
    expectation: 'an end of the case',
    found: `internal error: ${message}`,
    pages: [],
  };
  return {
    suite,
    name,
    variant: variant ?? null,
    status: 'fail',
    problems: [problem],
    missing: null,
    verifications: 0,
    wallMs: 0,
    isInternal: true,
  };
}
