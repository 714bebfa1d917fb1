/** Access patterns. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sim/random.js';
import { pageSequence, scatterFactor } from '../../src/workload/pageSequence.js';
import { accessPatterns } from '../../src/workload/workloadConfig.js';
import { ZIPF_EXPONENT, Zipf } from '../../src/workload/zipf.js';

const pages = fc.integer({ min: 1, max: 400 });
const stride = fc.integer({ min: 1, max: 500 });

function take(count: number, sequence: { next(): number }): number[] {
  return Array.from({ length: count }, () => sequence.next());
}

describe('every pattern', () => {
  it('stays within the pages, and is the same for the same stream', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...accessPatterns),
        pages,
        stride,
        fc.nat(),
        (pattern, count, step, seed) => {
          const run = () => take(50, pageSequence(pattern, count, step, new Random(seed)));
          expect(run().every((page) => Number.isInteger(page) && page >= 0 && page < count)).toBe(true);
          expect(run()).toEqual(run());
        },
      ),
    );
  });
});

describe('sequential and strided', () => {
  it('visit every page once, then begin again', () => {
    fc.assert(
      fc.property(fc.constantFrom('sequential', 'strided'), pages, stride, (pattern, count, step) => {
        const sequence = pageSequence(pattern, count, step, new Random(1));
        const first = take(count, sequence);
        expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(take(count, sequence)).toEqual(first);
      }),
    );
  });

  it('go in the order that their names say', () => {
    expect(take(6, pageSequence('sequential', 5, 3, new Random(1)))).toEqual([0, 1, 2, 3, 4, 0]);
    expect(take(8, pageSequence('strided', 8, 3, new Random(1)))).toEqual([0, 3, 6, 1, 4, 7, 2, 5]);
  });
});

describe('uniform', () => {
  it('visits all pages about equally often', () => {
    const counts = new Array<number>(16).fill(0);
    for (const page of take(16_000, pageSequence('uniform', 16, 1, new Random(3)))) counts[page]++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});

describe('zipf', () => {
  it.each([
    [20, ZIPF_EXPONENT],
    [1000, ZIPF_EXPONENT],
    [50, 1],
    [50, 2.5],
    [1, ZIPF_EXPONENT],
  ])('gives %i ranks the probabilities of exponent %d', (count, exponent) => {
    const draws = 60_000;
    const zipf = new Zipf(count, exponent);
    const random = new Random(17);
    const found = new Array<number>(count).fill(0);
    for (let i = 0; i < draws; i++) found[zipf.next(random)]++;
    const weights = found.map((_, rank) => (rank + 1) ** -exponent);
    const sum = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, rank) => {
      const mean = (draws * weight) / sum;
      // Six standard deviations of a binomial: the stream is fixed, so this is no test of luck.
      expect(Math.abs((found[rank] ?? 0) - mean)).toBeLessThan(6 * Math.sqrt(mean) + 1);
    });
  });

  it('makes the same pages popular for everybody, and not those next to one another', () => {
    const popular = (seed: number): number[] => {
      const counts = new Map<number, number>();
      for (const page of take(5000, pageSequence('zipf', 512, 1, new Random(seed)))) {
        counts.set(page, (counts.get(page) ?? 0) + 1);
      }
      return [...counts]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 2)
        .map(([page]) => page);
    };
    expect(popular(1)).toEqual(popular(2));
    const [first = 0, second = 0] = popular(1);
    expect(Math.abs(first - second)).toBeGreaterThan(50);
  });

  it('scatters by a permutation', () => {
    fc.assert(
      fc.property(pages, (count) => {
        const factor = scatterFactor(count);
        expect(new Set(Array.from({ length: count }, (_, rank) => (rank * factor) % count)).size).toBe(count);
      }),
    );
  });
});
