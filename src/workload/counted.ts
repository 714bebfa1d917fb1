/** Counts in the words of a result. */

/** `1 page`, `2 pages`; `many` where it does not end in an s. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
