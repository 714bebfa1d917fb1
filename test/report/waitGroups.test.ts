/** Waits that are alike become one line, and long lists of holders are cut. */

import { describe, expect, it } from 'vitest';
import { groupWaits } from '../../src/report/waitGroups.js';

describe('groupWaits', () => {
  it('names the first of those that wait for the same, and counts the others', () => {
    expect(
      groupWaits([
        'gpu.fault#7 waits for vm lock of svm for read, held by munmap#5 for write (after driver.fault)',
        'gpu.fault#8 waits for vm lock of svm for read, held by munmap#5 for write (after driver.fault)',
        'cpu.mmap#9 waits for mmap_lock of mm 1 for write, held by munmap#5 for write',
        'gpu.fault#10 waits for vm lock of svm for read, held by munmap#5 for write (after driver.fault)',
      ]),
    ).toEqual([
      'gpu.fault#7 and 2 like it wait for vm lock of svm for read, held by munmap#5 for write (after driver.fault)',
      'cpu.mmap#9 waits for mmap_lock of mm 1 for write, held by munmap#5 for write',
    ]);
  });

  it('cuts a list of holders after three', () => {
    const holders = [1, 2, 3, 4, 5].map((n) => `gpu.fault#${n} for read`).join(', ');
    expect(groupWaits([`cpu.mmap#9 waits for a lock for write, held by ${holders} (after mm.mmap)`])).toEqual(
      [
        'cpu.mmap#9 waits for a lock for write, held by gpu.fault#1 for read, gpu.fault#2 for read, gpu.fault#3 for read and 2 more (after mm.mmap)',
      ],
    );
  });

  it('keeps apart what reads and what writes, and lines of another kind', () => {
    const lines = ['a#1 waits for x for read', 'a#2 waits for x for write', 'nothing of the kind'];
    expect(groupWaits(lines)).toEqual(lines);
  });
});
