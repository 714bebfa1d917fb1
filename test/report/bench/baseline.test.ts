/** Before and after: what counts as a change, and in which words. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFigures } from '../../../src/report/bench/baseline.js';
import { baselineBlocks } from '../../../src/report/bench/baselineReport.js';
import { figuresOf, type Metric } from '../../../src/report/bench/figure.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';

const speed: Metric = { unit: 'B/s', clock: 'wall', better: 'higher', what: '' };
const wait: Metric = { unit: 'ns', clock: 'wall', better: 'lower', what: '' };
const modelled: Metric = { unit: 'ns', clock: 'simulated', better: 'lower', what: '' };

function compare(metric: Metric, before: readonly number[], after: readonly number[]) {
  const figures = figuresOf('b', [{ key: 'c', samples: { m: after } }], { m: metric });
  return compareFigures([{ name: 'b.c.m', samples: before }], figures);
}

const low = [10, 11, 12, 10.5, 11.5];
const high = [20, 21, 22, 20.5, 21.5];

describe('compareFigures', () => {
  it.each([
    [speed, low, high, 'better'],
    [speed, high, low, 'worse'],
    [wait, low, high, 'worse'],
    [{ ...speed, better: 'neither' }, low, high, 'changed'],
    [speed, low, [...low].reverse(), 'same'],
    [speed, [10, 11, 12], high, 'unclear'],
    [speed, [10], [20], 'untestable'],
    [speed, [10], high, 'untestable'],
    [speed, [10, 11], high, 'unclear'],
    [modelled, [100], [94], 'better'],
    [modelled, [100], [96], 'changed'],
    [modelled, [100], [104], 'changed'],
    [modelled, [100], [106], 'worse'],
    [modelled, [100], [100], 'same'],
    [modelled, [0], [1], 'worse'],
  ] as const)('of %j from %j to %j: %s', (metric, before, after, verdict) => {
    expect(compare(metric, before, after).changes[0].verdict).toBe(verdict);
  });

  it('says of samples with one median that they are the same, however else they differ', () => {
    const places = Array.from({ length: 41 }, (_, i) => i - 20);
    const before = places.map((i) => (i < 0 ? 100 + i : 100 + i / 100));
    const after = places.map((i) => (i > 0 ? 100 + i : 100 + i / 100));
    const [{ p, verdict }] = compare(speed, before, after).changes;
    expect(p).toBeLessThan(0.05);
    expect(verdict).toBe('same');
  });

  it('tells what only one of the two runs has', () => {
    const { changes, missing } = compareFigures(
      [{ name: 'b.gone.m', samples: [1] }],
      figuresOf('b', [{ key: 'c', samples: { m: [1] } }], { m: speed }),
    );
    expect([changes[0].verdict, missing]).toEqual(['new', ['b.gone.m']]);
  });

  it('finds no change between a run and itself, and turns round with its sides', () => {
    const samples = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        expect(['same', 'unclear', 'untestable']).toContain(compare(speed, a, a).changes[0].verdict);
        const there = compare(speed, a, b).changes[0].verdict;
        const back = compare(speed, b, a).changes[0].verdict;
        const turned = { better: 'worse', worse: 'better' } as const;
        expect(back).toBe(there === 'better' || there === 'worse' ? turned[there] : there);
      }),
    );
  });
});

describe('baselineBlocks', () => {
  it('has a row for each figure, and sums up', () => {
    const lines = blocksAsText(baselineBlocks(compare(wait, low, high), 'old.json'), noColors).split('\n');
    expect(lines[0]).toBe('Against old.json: medians, ± scatter of the samples, p of a rank test');
    expect(lines[2]).toMatch(/^b\.c\.m +wall +11ns ± 7% {2}21ns ± 4% {2}\+90\.9% {2}worse \(p=0\.008\)$/);
    expect(lines[4]).toBe('1 figure compared at p<0.05: 1 worse');
  });
  it('says of a figure with one value that it cannot be tested, and not that it needs more samples', () => {
    const text = blocksAsText(baselineBlocks(compare(wait, [10], [20]), 'old.json'), noColors);
    expect(text).toMatch(/\+100\.0% {2}untestable: one value of all samples$/m);
    expect(text).toContain('1 figure compared: 1 untestable: one value of all samples');
    expect(text).not.toMatch(/too few|rank test|chance/);
  });

  it('says how many of many tested figures chance lets differ', () => {
    const keys = ['a', 'b', 'c', 'd'];
    const before = keys.map((key) => ({ name: `b.${key}.m`, samples: key === 'd' ? [10] : low }));
    const cells = keys.map((key) => ({ key, samples: { m: key === 'd' ? [20] : high } }));
    const comparison = compareFigures(before, figuresOf('b', cells, { m: wait }));
    expect(blocksAsText(baselineBlocks(comparison, 'old.json'), noColors)).toContain(
      'By chance alone up to 0.2 of the 3 tested figures would differ on average; none is corrected for the others',
    );
  });

  it('says beyond what a simulated figure is called better or worse', () => {
    const said =
      /^Simulated figures and counts are those of one seed: better or worse beyond 5%, changed below it$/m;
    expect(blocksAsText(baselineBlocks(compare(modelled, [100], [99.9]), 'old.json'), noColors)).toMatch(
      said,
    );
    expect(blocksAsText(baselineBlocks(compare(wait, low, high), 'old.json'), noColors)).not.toMatch(said);
  });
});
