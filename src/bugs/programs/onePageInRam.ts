/** A range of which one page is in RAM and the others are on the device that reads it: mapping it takes both ways. */

import { alignedBuffer } from '../alignedBuffer.js';
import { mirrorOn } from '../bugCase.js';

/** Of the range `A` the page `off` comes from RAM. */
export function onePageInRam(off: number): readonly unknown[] {
  return [
    ...mirrorOn(1),
    alignedBuffer('A', 16),
    { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
    { op: 'gpu_write', args: { dev: 'gpu0', buf: 'A', pattern: { p: 'const', v: 2 } } },
    // From now on the device maps pages wherever they are.
    { op: 'svm_set_attr', args: { dev: 'gpu0', buf: 'A', attrs: { access_in_place: 'gpu0' } } },
    { op: 'madvise', args: { buf: 'A', off, pages: 1, advice: 'dontneed' } },
    { op: 'cpu_write', args: { buf: 'A', off, pages: 1, pattern: { p: 'const', v: 3 } } },
    { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 4, pages: 1 } },
  ];
}
