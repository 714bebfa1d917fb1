/** Whether two sets of samples differ by more than chance: the rank test of Mann and Whitney, which assumes no distribution. */

/** Above this many samples in both sets together the normal distribution stands for the exact one. */
const EXACT_MAX = 40;

/**
 * Probability that two sets from the same source differ in rank at least as much as these do, in either direction. 1 where one is empty. Exact without
 * ties and for up to 40 samples together; otherwise by the normal distribution, with the variance corrected for ties.
 *
 * Source: Mann, Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other", 1947.
 */
export function mannWhitneyP(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return 1;
  const { u, ties } = rankStatistic(a, b);
  const hasTies = ties.some((size) => size > 1);
  if (!hasTies && a.length + b.length <= EXACT_MAX) return exactP(u, a.length, b.length);
  return normalP(u, a.length, b.length, ties);
}

/** How often a sample of `a` exceeds one of `b`, ties as halves; and the sizes of groups of equal samples. */
function rankStatistic(a: readonly number[], b: readonly number[]): { u: number; ties: number[] } {
  let u = 0;
  for (const one of a) {
    for (const other of b) u += one > other ? 1 : one === other ? 0.5 : 0;
  }
  const sizes = new Map<number, number>();
  for (const sample of [...a, ...b]) sizes.set(sample, (sizes.get(sample) ?? 0) + 1);
  return { u, ties: [...sizes.values()] };
}

/** Counts in how many of all orders of the samples the statistic is at least as far from its mean. */
function exactP(u: number, n: number, m: number): number {
  const orders = ordersByStatistic(n, m);
  const far = Math.abs(u - (n * m) / 2);
  let all = 0;
  let extreme = 0;
  orders.forEach((count, value) => {
    all += count;
    if (Math.abs(value - (n * m) / 2) >= far) extreme += count;
  });
  return Math.min(1, extreme / all);
}

/** By the statistic's value, in how many orders of n and m samples it has that value: Gaussian binomial coefficients, row by row. */
function ordersByStatistic(n: number, m: number): number[] {
  let orders = [1];
  for (let i = 1; i <= n; i++) orders = dividedBy(timesOneMinus(orders, m + i), i);
  return orders.slice(0, n * m + 1);
}

/** A polynomial times (1 - x^power). */
function timesOneMinus(polynomial: readonly number[], power: number): number[] {
  const product = [...polynomial, ...new Array<number>(power).fill(0)];
  for (let i = product.length - 1; i >= power; i--) product[i] -= product[i - power];
  return product;
}

/** A polynomial that (1 - x^power) divides, over it. */
function dividedBy(polynomial: readonly number[], power: number): number[] {
  const quotient = [...polynomial];
  for (let i = power; i < quotient.length; i++) quotient[i] += quotient[i - power];
  return quotient;
}

function normalP(u: number, n: number, m: number, ties: readonly number[]): number {
  const total = n + m;
  const tied = ties.reduce((sum, size) => sum + size ** 3 - size, 0);
  const variance = ((n * m) / 12) * (total + 1 - tied / (total * (total - 1)));
  if (variance <= 0) return 1;
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5);
  return Math.min(1, 2 * normalTail(distance / Math.sqrt(variance)));
}

/** Share of the normal distribution above z, z at least 0. Source: Abramowitz and Stegun, 26.2.17; error below 7.5e-8. */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}
