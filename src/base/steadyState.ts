/** Finds where warm-up ends: times of rounds come in one after another, until they neither fall any more nor jump. */

import { median, summaryOf, trendOf } from './statistics.js';

export interface SteadyStateLimits {
  /** Rounds that are looked at together. */
  readonly window: number;
  /** Rounds before which nothing is steady: those that build what later ones use. */
  readonly roundsMin: number;
  /** After so many warm-up is over in any case. */
  readonly roundsMax: number;
}

/** Two halves of a window that differ by less are alike, however little the samples scatter. */
const ALIKE = 0.03;
/** A falling order that chance brings about once in twenty windows of ten, or less often. */
const FALLING = -0.47;

export class SteadyState {
  private readonly times: number[] = [];

  constructor(private readonly limits: SteadyStateLimits) {}

  get rounds(): number {
    return this.times.length;
  }

  add(ns: number): void {
    this.times.push(ns);
  }

  /** The last rounds are alike: their halves have the same median within what they scatter, and they do not fall. */
  get isSteady(): boolean {
    const { window, roundsMin } = this.limits;
    if (this.times.length < Math.max(window, roundsMin)) return false;
    return isLevel(this.times.slice(-window));
  }

  get isOver(): boolean {
    return this.isSteady || this.times.length >= this.limits.roundsMax;
  }
}

/** Of rounds in their order. */
export function isLevel(times: readonly number[]): boolean {
  const half = times.length >> 1;
  const sooner = summaryOf(times.slice(0, half));
  const later = summaryOf(times.slice(half));
  const apart = Math.abs(sooner.median - later.median);
  const scatter = (sooner.spread + later.spread) / 2;
  return apart <= Math.max(ALIKE * later.median, scatter) && (trendOf(times) > FALLING || isNarrow(times));
}

/** All of them so close together that a falling order says nothing. */
function isNarrow(times: readonly number[]): boolean {
  const middle = median(times);
  return times.every((ns) => Math.abs(ns - middle) <= ALIKE * middle);
}
