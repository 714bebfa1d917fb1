/** Finds where warm-up ends: times of rounds come in one after another, until they neither fall any more nor jump. */

import { median, summaryOf, trendOf } from './statistics.js';

/** When warm-up may end, and when it must. */
export interface WarmUp {
  /** Rounds before which nothing is steady: those that build what later ones use. */
  readonly roundsMin: number;
  /** After so many warm-up is over in any case; unlimited unless given. */
  readonly roundsMax?: number;
  /** Rounds that took less together are never steady; 0 unless given. */
  readonly nsMin?: number;
  /** After so long warm-up is over in any case; unlimited unless given. */
  readonly nsMax?: number;
  /**
   * Rounds that take so long together count as one, with their median: a compiler that works in the background takes longer than many short rounds,
   * which look alike until it is done. 0 unless given: each round counts.
   */
  readonly blockNs?: number;
}

/** How it went. */
export interface WarmedUp {
  /** Rounds before the first that counts. */
  readonly warmups: number;
  /** Times had stopped to change; false where warm-up had to end before. */
  readonly isSteady: boolean;
}

/** Two halves of a window that differ by less are alike, however little the samples scatter. */
const ALIKE = 0.03;
/** A falling order that chance brings about once in twenty windows of ten, or less often. */
const FALLING = -0.47;

export class SteadyState {
  private count = 0;
  /** Medians of whole blocks. */
  private readonly blocks: number[] = [];
  private readonly block: number[] = [];
  private blockNs = 0;
  private allNs = 0;

  constructor(
    private readonly limits: WarmUp,
    /** Rounds, or blocks of them, that are looked at together. */
    private readonly window: number,
  ) {}

  get rounds(): number {
    return this.count;
  }

  /** What was measured of a round, and what the round took as a whole. */
  add(ns: number, wholeNs = ns): void {
    this.count++;
    this.block.push(ns);
    this.blockNs += wholeNs;
    this.allNs += wholeNs;
    if (this.blockNs < (this.limits.blockNs ?? 0)) return;
    this.blocks.push(median(this.block));
    this.block.length = 0;
    this.blockNs = 0;
  }

  /** The last blocks are alike: their halves have the same median within what they scatter, and they do not fall. */
  get isSteady(): boolean {
    const { roundsMin, nsMin = 0 } = this.limits;
    if (this.rounds < roundsMin || this.allNs < nsMin || this.blocks.length < this.window) return false;
    return isLevel(this.blocks.slice(-this.window));
  }

  /** Once it is over. */
  get outcome(): WarmedUp {
    return { warmups: this.rounds, isSteady: this.isSteady };
  }

  get isOver(): boolean {
    const { roundsMax = Number.POSITIVE_INFINITY, nsMax = Number.POSITIVE_INFINITY } = this.limits;
    return this.isSteady || this.rounds >= roundsMax || this.allNs >= nsMax;
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
