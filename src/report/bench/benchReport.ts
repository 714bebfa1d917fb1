/** What a benchmark has to say of its cells: figures with names, checks, tables, and results for a document. */

import type { CheckResult } from '../../simulation/runReport.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { type Verdict, verdictOf } from '../verdict.js';
import type { MeasuredCell, Metrics } from './figure.js';

export interface BenchReport<Cell> {
  readonly metrics: Metrics;
  measured(cell: Cell): MeasuredCell;
  checks(cells: readonly Cell[]): CheckResult[];
  /** Without the verdict. */
  blocks(cells: readonly Cell[], config: SimulationConfig): ReportBlock[];
  /** Times of this machine stand under keys that start with `wall`. */
  result(cell: Cell): JsonObject;
}

/** In the words of the checks. */
export function benchVerdict(checks: readonly CheckResult[], partial: boolean): Verdict {
  const outcome = partial ? 'interrupted' : 'completed';
  const verdict = verdictOf({ outcome, checks, workloads: [], failure: null });
  if (checks.length === 0 || partial) return verdict;
  const telling = checks.filter(({ ok }) => ok === verdict.ok);
  return { ...verdict, text: telling.map(({ detail }) => detail).join('; ') };
}
