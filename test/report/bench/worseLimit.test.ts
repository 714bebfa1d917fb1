/** Only what a comparison calls worse can fail a run, and only beyond the limit. */

import { describe, expect, it } from 'vitest';
import { compareFigures } from '../../../src/report/bench/baseline.js';
import { figuresOf, type Metric } from '../../../src/report/bench/figure.js';
import { checkWorse } from '../../../src/report/bench/worseLimit.js';

const wait: Metric = { unit: 'ns', clock: 'wall', better: 'lower', what: '' };
const metrics: Record<string, Metric> = {
  wait,
  speed: { ...wait, better: 'higher' },
  share: { ...wait, better: 'neither' },
  modelled: { ...wait, clock: 'simulated' },
};
const low = [10, 11, 12, 10.5, 11.5];
const high = [20, 22, 24, 21, 23];

/** Each metric before and after; what was not measured before is null. */
function worse(
  percent: number,
  measured: Record<string, readonly [readonly number[] | null, readonly number[]]>,
) {
  const samples = Object.fromEntries(Object.entries(measured).map(([name, [, after]]) => [name, after]));
  const before = Object.entries(measured).flatMap(([name, [earlier]]) =>
    earlier === null ? [] : [{ name: `b.c.${name}`, samples: earlier }],
  );
  return checkWorse(compareFigures(before, figuresOf('b', [{ key: 'c', samples }], metrics)), percent);
}

describe('checkWorse', () => {
  it('names what is worse, the worst first', () => {
    const { ok, detail } = worse(10, { speed: [high, low], wait: [low, high], modelled: [[100], [90]] });
    expect(ok).toBe(false);
    expect(detail).toBe('2 of 3 figures worse by more than 10%: b.c.wait +100.0%, b.c.speed -50.0%');
  });

  it.each([
    ['within the limit', 100, { wait: [low, high] }],
    ['without a better direction', 1, { share: [low, high] }],
    ['too few to be tested', 1, { wait: [low.slice(0, 3), high] }],
    ['by less than a seed may make', 1, { modelled: [[100], [104]] }],
    ['not in the baseline', 1, { wait: [null, high] }],
  ] as const)('lets pass what is %s', (_what, percent, measured) => {
    expect(worse(percent, measured).ok).toBe(true);
  });

  it('holds nothing back of what was nothing before', () => {
    expect(worse(10_000, { modelled: [[0], [1]] }).ok).toBe(false);
  });

  it('says how many could not be tested', () => {
    expect(worse(5, { wait: [low, low], speed: [[1], [1]] }).detail).toBe(
      'none of 2 figures is worse by more than 5%; 1 of them could not be tested',
    );
    expect(worse(5, { speed: [[1], [1]] }).detail).toBe('none of 1 figure could be tested');
    expect(worse(5, { wait: [null, low] }).detail).toBe('the two runs have no figure in common');
  });
});
