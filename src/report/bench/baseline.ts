/** Compares figures with those of an earlier run: how much each has changed, and whether that is more than chance. */

import { mannWhitneyP } from '../../base/mannWhitney.js';
import { type Summary, summaryOf } from '../../base/statistics.js';
import type { Figure, Metric } from './figure.js';

/** A figure of an earlier run, as its document has it. */
export interface BaselineFigure {
  readonly name: string;
  readonly samples: readonly number[];
}

/** `changed`: without a better direction, or by less than a seed may make. `untestable`: it has one value of all samples. */
export type ChangeVerdict = 'better' | 'worse' | 'changed' | 'same' | 'unclear' | 'untestable' | 'new';

export interface Change {
  readonly name: string;
  readonly metric: Metric;
  /** Null for a figure that the earlier run does not have. */
  readonly before: Summary | null;
  readonly after: Summary;
  /** After over before, less one; null where that is no number. */
  readonly change: number | null;
  /** Of the rank test; null where there was nothing to test: a figure of the model, or one with a single value. */
  readonly p: number | null;
  readonly verdict: ChangeVerdict;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Names that only the earlier run has. */
  readonly missing: readonly string[];
}

/** Differences that chance brings about more often are none. */
export const ALPHA = 0.05;
/** With fewer samples on either side the test can never tell: the rarest order of 3 and 3 has a probability of 0.1. */
export const TESTABLE_MIN = 4;

/**
 * Figures of the model hold for one seed. Another one lets tasks that compete run in another order, and draws other times: a change of the code that
 * only does as much is neither better nor worse. Sixteen seeds of `bench migrate` on `plain` are apart by 3.2 % at most.
 */
export const SEED_SCATTER = 0.05;

/** Whether the rank test was made and could have told. */
export function wasTested({ p, verdict }: Change): boolean {
  return p !== null && verdict !== 'unclear';
}

export function compareFigures(before: readonly BaselineFigure[], after: readonly Figure[]): Comparison {
  const earlier = new Map(before.map((figure) => [figure.name, figure]));
  const names = new Set(after.map(({ name }) => name));
  return {
    changes: after.map((figure) => changeOf(earlier.get(figure.name), figure)),
    missing: before.map(({ name }) => name).filter((name) => !names.has(name)),
  };
}

function changeOf(before: BaselineFigure | undefined, { name, metric, samples, summary }: Figure): Change {
  const head = { name, metric, after: summary };
  if (before === undefined) return { ...head, before: null, change: null, p: null, verdict: 'new' };
  const earlier = summaryOf(before.samples);
  const change = earlier.median === 0 ? null : summary.median / earlier.median - 1;
  if (metric.clock !== 'wall') {
    return { ...head, before: earlier, change, p: null, verdict: modelVerdict(metric, earlier, summary) };
  }
  if (Math.min(earlier.count, summary.count) === 1) {
    return { ...head, before: earlier, change, p: null, verdict: 'untestable' };
  }
  const p = mannWhitneyP(before.samples, samples);
  return { ...head, before: earlier, change, p, verdict: wallVerdict(metric, earlier, summary, p) };
}

function modelVerdict(metric: Metric, before: Summary, after: Summary): ChangeVerdict {
  const verdict = directionOf(metric, before, after);
  const larger = Math.max(Math.abs(before.median), Math.abs(after.median));
  const isSmall = Math.abs(after.median - before.median) <= SEED_SCATTER * larger;
  return verdict !== 'same' && isSmall ? 'changed' : verdict;
}

function wallVerdict(metric: Metric, before: Summary, after: Summary, p: number): ChangeVerdict {
  if (Math.min(before.count, after.count) < TESTABLE_MIN) return 'unclear';
  return p < ALPHA ? directionOf(metric, before, after) : 'same';
}

function directionOf({ better }: Metric, before: Summary, after: Summary): ChangeVerdict {
  if (after.median === before.median) return 'same';
  if (better === 'neither') return 'changed';
  return after.median > before.median === (better === 'higher') ? 'better' : 'worse';
}
