/** The names that workloads get when a scenario gives none. */

import { describe, expect, it } from 'vitest';
import { firstDuplicate, workloadNames } from '../../src/scenario/workloadNames.js';

const unnamed = (kind: string, threads = 1) => ({ given: null, kind, threads });
const named = (given: string, threads = 1) => ({ given, kind: 'pattern', threads });

describe('workloadNames', () => {
  it('names a workload after its kind, numbered when that repeats', () => {
    expect(workloadNames([unnamed('saxpy'), unnamed('jacobi'), unnamed('saxpy')])).toEqual([
      ['saxpy'],
      ['jacobi'],
      ['saxpy-2'],
    ]);
  });

  it('numbers the threads of one workload', () => {
    expect(workloadNames([unnamed('invalidate', 2), unnamed('invalidate', 2)])).toEqual([
      ['invalidate-1', 'invalidate-2'],
      ['invalidate-2-1', 'invalidate-2-2'],
    ]);
  });

  it('never takes a name that the user chose, even for a later workload', () => {
    expect(workloadNames([unnamed('saxpy'), named('saxpy')])).toEqual([['saxpy-2'], ['saxpy']]);
  });
});

describe('firstDuplicate', () => {
  it('finds the second of two equal names', () => {
    expect(firstDuplicate([named('a'), unnamed('a'), named('b'), named('a')])).toBe(3);
  });

  it('counts the names of threads', () => {
    expect(firstDuplicate([named('a-2'), named('a', 2)])).toBe(1);
    expect(firstDuplicate([named('a'), named('a', 2)])).toBe(-1);
  });
});
