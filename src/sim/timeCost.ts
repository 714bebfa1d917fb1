/** How long a modelled piece of work takes: always the same, or drawn anew each time from a distribution. */

import { assert } from '../base/assert.js';

/** In nanoseconds. */
export type TimeDistribution =
  | { readonly kind: 'uniform'; readonly leastNs: number; readonly mostNs: number }
  /** What would be below zero is zero. */
  | { readonly kind: 'normal'; readonly meanNs: number; readonly deviationNs: number }
  | { readonly kind: 'lognormal'; readonly medianNs: number; readonly p99Ns: number };

/** Nanoseconds, or what they are drawn from. */
export type TimeCost = number | TimeDistribution;

/** The 99th percentile of the standard normal distribution. */
const NORMAL_P99 = 2.3263478740408408;
const TWO_TO_32 = 0x1_0000_0000;

/** `randomU32` is part of the schedule, so that a replay draws the same. */
export function drawNs(cost: TimeDistribution, randomU32: () => number): number {
  switch (cost.kind) {
    case 'uniform':
      return cost.leastNs + (cost.mostNs - cost.leastNs) * (randomU32() / TWO_TO_32);
    case 'normal':
      return Math.max(0, cost.meanNs + cost.deviationNs * standardNormal(randomU32));
    case 'lognormal': {
      assert(cost.medianNs > 0 && cost.p99Ns >= cost.medianNs, 'a lognormal time needs 0 < median <= p99');
      const sigma = Math.log(cost.p99Ns / cost.medianNs) / NORMAL_P99;
      return cost.medianNs * Math.exp(sigma * standardNormal(randomU32));
    }
  }
}

/** G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", 1958. */
function standardNormal(randomU32: () => number): number {
  // Never 0, whose logarithm is none.
  const radius = Math.sqrt(-2 * Math.log((randomU32() + 1) / TWO_TO_32));
  return radius * Math.cos(2 * Math.PI * (randomU32() / TWO_TO_32));
}
