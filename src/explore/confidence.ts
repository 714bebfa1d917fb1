/** How sure one may be after a search: what was seen of the space of schedules, and what a bug of some depth would have needed to stay hidden. */

import { pctBound } from './strategies/pct.js';

/** Share of the space that {@link Coverage.schedulesFor99} is about. */
const WANTED = 0.99;
/** Fewer that all differ say nothing of how many there are. */
const ENOUGH_DRAWN = 100;
/** Share of the runs of PCT that its bound is about: the first ones of each block know little of how long runs are. */
const MOST = 0.9;

export interface Coverage {
  readonly schedules: number;
  readonly distinct: number;
  /** Those that were drawn at random, which the estimates are about. */
  readonly drawn: number;
  /** Estimated number of different schedules that the strategies can draw; infinite where too few were drawn to tell. */
  readonly estimated: number;
  /** Nothing was drawn twice: {@link estimated} is the least that there are likely to be, and {@link schedulesFor99} what so many would need. */
  readonly isAtLeast: boolean;
  /** Estimated chance that the next one drawn is a new one. */
  readonly unseen: number;
  /** Estimated number of further draws until 99 % of the estimated space is seen; infinite where too few were drawn to tell. */
  readonly schedulesFor99: number;
}

/** Hashes of schedules. */
export interface SeenSchedules {
  /** Drawn at random from more than can be counted. */
  readonly drawn: Float64Array;
  /** Made by a strategy that has only a few, or that goes through them in order: that one of them comes again says nothing about the others. */
  readonly others: Float64Array;
}

/**
 * From how many schedules came once and how many twice. Space: A. Chao, "Nonparametric Estimation of the Number of Classes in a Population", 1984
 * (bias-corrected, a lower bound where nothing came twice). Chance of a new one: I. J. Good, 1953. Further schedules: A. Chao et al., "Sufficient sampling for asymptotic minimum species
 * richness estimators", 2009.
 */
export function coverageOf({ drawn, others }: SeenSchedules): Coverage {
  const { distinct: distinctDrawn, once, twice } = countRepeats(drawn.toSorted());
  const isAtLeast = once === drawn.length;
  const isTooFew = isAtLeast && drawn.length < ENOUGH_DRAWN;
  const hidden = isTooFew ? Number.POSITIVE_INFINITY : (once * (once - 1)) / (2 * (twice + 1));
  const estimated = distinctDrawn + hidden;
  return {
    schedules: drawn.length + others.length,
    distinct: countRepeats(joined(drawn, others).sort()).distinct,
    drawn: drawn.length,
    estimated,
    isAtLeast,
    unseen: drawn.length === 0 ? 1 : once / drawn.length,
    schedulesFor99: isTooFew
      ? Number.POSITIVE_INFINITY
      : furtherSchedules(drawn.length, once, twice, hidden, estimated),
  };
}

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function furtherSchedules(n: number, once: number, twice: number, hidden: number, estimated: number): number {
  const left = (1 - WANTED) * estimated;
  if (hidden <= left) return 0;
  return Math.ceil(((n * once) / (2 * Math.max(1, twice))) * Math.log(hidden / left));
}

/** Of sorted numbers. */
function countRepeats(sorted: Float64Array): { distinct: number; once: number; twice: number } {
  let distinct = 0;
  let once = 0;
  let twice = 0;
  for (let at = 0; at < sorted.length; ) {
    let end = at + 1;
    while (end < sorted.length && sorted[end] === sorted[at]) end++;
    distinct++;
    if (end - at === 1) once++;
    else if (end - at === 2) twice++;
    at = end;
  }
  return { distinct, once, twice };
}

/** Schedules of PCT whose changes of priority were drawn from the same number of first choices. */
export interface DrawnRange {
  readonly range: number;
  readonly schedules: number;
}

/** What a depth of PCT has given. */
export interface DepthBound {
  readonly depth: number;
  /** Those that drew their changes from that many choices, or more: no others count. */
  readonly schedules: number;
  /** The bound is that of a bug within so many first choices of a run. */
  readonly choices: number;
  /** Such a bug of this depth is missed by all of them with at most this probability. */
  readonly missedAtMost: number;
  /** So many in all would miss it with at most 5 %, and with at most 1 %; infinite where no run had a choice. */
  readonly neededFor95: number;
  readonly neededFor99: number;
}

/**
 * For runs of so many tasks, made by PCT with that depth. A run says nothing of what comes behind the choices that its changes were drawn from, so the
 * bound is about as many as most runs had. What is needed is about the longest run, `choicesMax`, where none of them knew a length.
 */
export function depthBound(
  depth: number,
  drawn: readonly DrawnRange[],
  tasks: number,
  choicesMax: number,
): DepthBound {
  const choices = rangeOfMost(drawn);
  const counted = drawn.filter(({ range }) => range > 0 && range >= choices);
  return {
    depth,
    schedules: counted.reduce((sum, { schedules }) => sum + schedules, 0),
    choices,
    missedAtMost: counted.reduce(
      (missed, { range, schedules }) => missed * (1 - pctBound(depth, tasks, range)) ** schedules,
      1,
    ),
    neededFor95: neededFor(0.95, depth, tasks, choices || choicesMax),
    neededFor99: neededFor(0.99, depth, tasks, choices || choicesMax),
  };
}

/** Schedules of which one finds it with that chance. */
function neededFor(chance: number, depth: number, tasks: number, choices: number): number {
  if (choices === 0) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.ceil(Math.log1p(-chance) / Math.log1p(-pctBound(depth, tasks, choices))));
}

/** The largest range that {@link MOST} of those that had one did not fall below; 0 where none had. */
function rangeOfMost(drawn: readonly DrawnRange[]): number {
  const known = drawn.filter(({ range }) => range > 0).sort((a, b) => b.range - a.range);
  const wanted = MOST * known.reduce((sum, { schedules }) => sum + schedules, 0);
  let counted = 0;
  for (const { range, schedules } of known) {
    counted += schedules;
    if (counted >= wanted) return range;
  }
  return 0;
}
