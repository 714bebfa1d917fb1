/** What a benchmark has to say of its cells: figures with names, checks, tables, and results for a document. */

import type { BenchStatus } from '../../simulation/bench/benchRun.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { type Verdict, verdictOf } from '../verdict.js';
import type { MeasuredCell, Metrics } from './figure.js';

/** A test that passed, was waived, or failed, and why. */
export interface TestStatus {
  readonly name: string;
  readonly status: BenchStatus;
  readonly detail: string;
}

export interface BenchReport<Cell> {
  readonly metrics: Metrics;
  measured(cell: Cell): MeasuredCell;
  checks(cells: readonly Cell[]): CheckResult[];
  /** Without the verdict. */
  blocks(cells: readonly Cell[], config: SimulationConfig): ReportBlock[];
  /** Whether each test came to something; left out where there is nothing but results. */
  statuses?(cells: readonly Cell[]): TestStatus[];
  /** Times of this machine stand under keys that start with `wall`. */
  results(cell: Cell): JsonObject[];
}

/** In the words of the checks. */
export function benchVerdict(checks: readonly CheckResult[], partial: boolean): Verdict {
  const outcome = partial ? 'interrupted' : 'completed';
  const verdict = verdictOf({ outcome, checks, workloads: [], failure: null });
  if (checks.length === 0 || partial) return verdict;
  const telling = checks.filter(({ ok }) => ok === verdict.ok);
  return { ...verdict, text: telling.map(({ detail }) => detail).join('; ') };
}
