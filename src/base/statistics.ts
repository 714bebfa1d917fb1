/** What a few samples come to: median, spread, quantiles, and whether they still have a trend. */

import { assert } from './assert.js';

export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median of the distances from the median, times {@link MAD_TO_SIGMA}: a standard deviation that a single outlier does not move. */
  readonly spread: number;
}

/** Makes the median absolute deviation of normally distributed samples their standard deviation: 1 over the 0.75 quantile of the normal distribution. */
export const MAD_TO_SIGMA = 1.4826;

/** Of at least one sample. */
export function summaryOf(samples: readonly number[]): Summary {
  const sorted = ascending(samples);
  const median = quantileOf(sorted, 0.5);
  const distances = ascending(sorted.map((sample) => Math.abs(sample - median)));
  return {
    count: sorted.length,
    median,
    min: sorted[0],
    max: sorted[sorted.length - 1],
    spread: quantileOf(distances, 0.5) * MAD_TO_SIGMA,
  };
}

/** The middle one, or the mean of the middle two, of at least one sample. */
export function median(samples: readonly number[]): number {
  return quantileOf(ascending(samples), 0.5);
}

/** Between two neighbours linearly; `fraction` is from 0 to 1, and there is at least one sample. */
export function quantile(samples: readonly number[], fraction: number): number {
  return quantileOf(ascending(samples), fraction);
}

/** Spread over median: 0.1 is a tenth. Infinity where the median is 0 and the samples differ. */
export function relativeSpread({ median, spread }: Summary): number {
  return spread === 0 ? 0 : spread / Math.abs(median);
}

/**
 * Mann and Kendall's tau: pairs of samples in rising order less those in falling order, over all pairs. From -1 (each smaller than all before it) to 1;
 * 0 for fewer than two samples.
 */
export function trendOf(samples: readonly number[]): number {
  let balance = 0;
  for (let later = 1; later < samples.length; later++) {
    for (let sooner = 0; sooner < later; sooner++) balance += Math.sign(samples[later] - samples[sooner]);
  }
  const pairs = (samples.length * (samples.length - 1)) / 2;
  return pairs === 0 ? 0 : balance / pairs;
}

function ascending(samples: readonly number[]): number[] {
  assert(samples.length > 0, 'no samples');
  return [...samples].sort((a, b) => a - b);
}

function quantileOf(sorted: readonly number[], fraction: number): number {
  assert(fraction >= 0 && fraction <= 1, 'a quantile is a fraction from 0 to 1');
  const at = fraction * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}
