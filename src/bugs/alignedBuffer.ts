/** Buffers that ranges of one size fill exactly. */

/** Private anonymous memory that begins at a multiple of its size, so that one range can hold it: `pages` is a size of a range. */
export function alignedBuffer(buf: string, pages: number): unknown {
  return {
    op: 'mmap',
    args: { buf, pages, prot: 'rw', share: 'private', backing: 'anon', align_pages: pages },
  };
}
