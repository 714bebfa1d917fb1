/** Memory that is partly on a device, and that a child has too: what migrates it has device pages and RAM locked at a time, of which the child has entries. */

import { alignedBuffer } from '../alignedBuffer.js';

const ones = { p: 'const', v: 1 };

/** Of the range `A` one page is in RAM, the others are in the memory of `gpu0`. */
export const mixedAndShared: readonly unknown[] = [
  alignedBuffer('A', 16),
  { op: 'cpu_write', args: { buf: 'A', pattern: ones } },
  { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
  { op: 'madvise', args: { buf: 'A', off: 1, pages: 1, advice: 'dontneed' } },
  { op: 'cpu_write', args: { buf: 'A', off: 1, pages: 1, pattern: ones } },
  { op: 'fork', args: { child: 'p1' } },
];

/** The child reads a page that is in the memory of `gpu0`, after work of its own. */
export const childReads: readonly unknown[] = [
  { op: 'mmap', args: { proc: 'p1', buf: 'B', pages: 4, prot: 'rw' } },
  { op: 'cpu_write', args: { proc: 'p1', buf: 'B', pattern: ones } },
  { op: 'cpu_read', args: { proc: 'p1', buf: 'A', off: 0, pages: 1 } },
];
