/** Chunk sizes of a mirror whose ranges are all of one size, where they fit. */

/** In pages, descending, and with single pages for what does not fit. */
export function rangeSizes(pages: number): number[] {
  return pages > 1 ? [pages, 1] : [1];
}
