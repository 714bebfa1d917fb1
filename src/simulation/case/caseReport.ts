/** What became of a case: plain data for the command line, for JSON and for JUnit. */

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
  /** Runs of the case in which an allocation failed on purpose; absent where none was to. */
  readonly failureRuns?: number;
}
