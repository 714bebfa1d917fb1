/** Finds a small part of a list that still does what the whole list does, by leaving out larger and then smaller pieces. */

/**
 * Asks `holds` until leaving out any single item would spoil it, or there is no time for more. The list itself holds. The order
 * stays. Deterministic. Known as delta debugging.
 */
export function smallestSubset<T>(
  items: readonly T[],
  holds: (subset: readonly T[]) => boolean,
  isOver: () => boolean,
): readonly T[] {
  let kept = items;
  let size = Math.ceil(kept.length / 2);
  while (size >= 1 && kept.length > 0) {
    let shrank = false;
    for (let start = 0; start < kept.length && !isOver(); ) {
      const rest = [...kept.slice(0, start), ...kept.slice(start + size)];
      if (holds(rest)) {
        kept = rest;
        shrank = true;
      } else {
        start += size;
      }
    }
    if (isOver()) break;
    if (size > 1) size = Math.floor(size / 2);
    else if (!shrank) break;
  }
  return kept;
}
