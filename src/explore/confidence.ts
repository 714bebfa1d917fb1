/** How sure one may be after a search: what was seen of the space of schedules, and what a bug of some depth would have needed to stay hidden. */

import { pctBound } from './strategies/pct.js';

/** Share of the space that {@link Coverage.schedulesFor99} is about. */
const WANTED = 0.99;

export interface Coverage {
  readonly schedules: number;
  readonly distinct: number;
  /** Estimated number of different schedules that these strategies make; infinite where nothing was seen twice. */
  readonly estimated: number;
  /** Estimated chance that the next schedule is a new one. */
  readonly unseen: number;
  /** Estimated number of further schedules until 99 % of the estimated space is seen; infinite where that cannot be told. */
  readonly schedulesFor99: number;
}

/**
 * From how many schedules came once and how many twice. Space: A. Chao, "Nonparametric Estimation of the Number of Classes in a Population", 1984
 * (bias-corrected). Chance of a new one: I. J. Good, 1953. Further schedules: A. Chao et al., "Sufficient sampling for asymptotic minimum species
 * richness estimators", 2009.
 */
export function coverageOf(hashes: Float64Array): Coverage {
  const { distinct, once, twice } = countRepeats(Float64Array.from(hashes).sort());
  const schedules = hashes.length;
  const hidden =
    twice === 0 && once === schedules ? Number.POSITIVE_INFINITY : (once * (once - 1)) / (2 * (twice + 1));
  const estimated = distinct + hidden;
  return {
    schedules,
    distinct,
    estimated,
    unseen: schedules === 0 ? 1 : once / schedules,
    schedulesFor99: furtherSchedules(schedules, once, twice, hidden, estimated),
  };
}

function furtherSchedules(n: number, once: number, twice: number, hidden: number, estimated: number): number {
  const left = (1 - WANTED) * estimated;
  if (!Number.isFinite(hidden)) return Number.POSITIVE_INFINITY;
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

/** What a depth of PCT has given. */
export interface DepthBound {
  readonly depth: number;
  readonly schedules: number;
  /** A bug of this depth is missed by all of them with at most this probability. */
  readonly missedAtMost: number;
}

/** For runs of so many tasks and choices, each of the schedules made by PCT with that depth. */
export function depthBound(depth: number, schedules: number, tasks: number, choices: number): DepthBound {
  return { depth, schedules, missedAtMost: (1 - pctBound(depth, tasks, choices)) ** schedules };
}
