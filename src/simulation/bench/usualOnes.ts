/** Picks, of what a trace has of one kind of thing, those that a mean can stand for. */

/**
 * Of the later half, as the first ones build tables and are interpreted, the middle half by duration: a few that met a thread that had lost its core take
 * a hundred times as long as all others. In ascending order.
 */
export function usualOnes<T extends { readonly wholeNs: number }>(all: readonly T[]): T[] {
  const sorted = all.slice(all.length >> 1).sort((a, b) => a.wholeNs - b.wholeNs);
  const quarter = sorted.length >> 2;
  return sorted.slice(quarter, sorted.length - quarter);
}
