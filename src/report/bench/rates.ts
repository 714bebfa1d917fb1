/** Rates of benchmarks: how many in a second, from samples that each took a time. */

import { relativeSpread, type Summary, summaryOf } from '../../base/statistics.js';
import type { ReportBlock } from '../reportBlock.js';
import { formatCount, formatShare } from '../units.js';

const NANOSECONDS_PER_SECOND = 1e9;

/** Of samples of the same amount. One that took no time, as with a model whose costs on the way are all 0, has no rate. */
export function ratesPerSecond(amount: number, times: readonly number[]): number[] {
  return times.flatMap((ns) => rateOf(amount, ns) ?? []);
}

/** Null for no time. */
export function rateOf(amount: number, ns: number): number | null {
  return ns > 0 ? (amount / ns) * NANOSECONDS_PER_SECOND : null;
}

/** For a document: what there is no sample of is null. */
export type RateSummary =
  | Summary
  | ({ readonly [Field in Exclude<keyof Summary, 'count'>]: null } & { readonly count: 0 });

export function rateSummary(rates: readonly number[]): RateSummary {
  return rates.length === 0
    ? { count: 0, median: null, min: null, max: null, spread: null }
    : summaryOf(rates);
}

/** The median and its scatter, for a table. */
export function rateTexts(rates: readonly number[]): [median: string, spread: string] {
  const summary = rateSummary(rates);
  return summary.median === null
    ? ['N/A', 'N/A']
    : [formatCount(summary.median), formatShare(relativeSpread(summary))];
}

/** Why cells have no rate on the model's clock; this machine's never stands still. */
export function noTimeLines(keys: readonly string[]): ReportBlock[] {
  return keys.length === 0 ? [] : [{ lines: keys.map((key) => `${key}: takes no simulated time`) }];
}
