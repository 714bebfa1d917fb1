/** Numbers to try in place of a number. */

/** The least one, half of it, and three quarters, so that it is not stuck where half is too few. */
export function smallerNumbers(now: number, least: number): number[] {
  const wanted = [least, Math.floor(now / 2), now - Math.max(1, now >> 2)];
  return [...new Set(wanted)].filter((value) => value >= least && value < now);
}
