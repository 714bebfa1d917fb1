/** How a block of 32 sorted keys is searched: by counting, in loads that do not wait for one another. */

/** Keys or values in a cache line. */
const KEYS_OF_LINE = 8;
/**
 * A search first finds the group of entries, whose keys fill a cache line, then the entry. Loads of a round do not wait for one another, and the line
 * of the second round has come with the first.
 */
export const GROUP = 8;

/** Looks at each cache line of a block's values and starts, without waiting for one before the next. */
export function areStored(values: readonly unknown[], starts: readonly number[], first: number): boolean {
  const second = first + KEYS_OF_LINE;
  const third = second + KEYS_OF_LINE;
  const fourth = third + KEYS_OF_LINE;
  const isStored =
    Number(values[first] !== undefined) &
    Number(values[second] !== undefined) &
    Number(values[third] !== undefined) &
    Number(values[fourth] !== undefined);
  const isKnown =
    Number(starts[first] >= 0) &
    Number(starts[second] >= 0) &
    Number(starts[third] >= 0) &
    Number(starts[fourth] >= 0);
  return (isStored & isKnown) === 1;
}

/** Of the groups of entries but the last, how many end with a key at or below `page`. `at`: the first entry. */
export function groupsUpTo(keys: readonly number[], at: number, page: number): number {
  return (
    Number(keys[at + GROUP - 1] <= page) +
    Number(keys[at + 2 * GROUP - 1] <= page) +
    Number(keys[at + 3 * GROUP - 1] <= page)
  );
}

/** The same for the entries of a group but its last. */
export function entriesUpTo(keys: readonly number[], at: number, page: number): number {
  return (
    Number(keys[at] <= page) +
    Number(keys[at + 1] <= page) +
    Number(keys[at + 2] <= page) +
    Number(keys[at + 3] <= page) +
    Number(keys[at + 4] <= page) +
    Number(keys[at + 5] <= page) +
    Number(keys[at + 6] <= page)
  );
}
