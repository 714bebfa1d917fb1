/** Estimates of a space of schedules against spaces whose size is known. */

import { describe, expect, it } from 'vitest';
import { coverageOf, depthBound } from '../../src/explore/confidence.js';
import { Random } from '../../src/sim/random.js';

function draws(space: number, count: number): Float64Array {
  const random = new Random(1);
  return Float64Array.from({ length: count }, () => random.below(space));
}

const nothing = new Float64Array();

describe('coverage', () => {
  it('is near the size of a space that was partly seen', () => {
    const { distinct, estimated, unseen, schedulesFor99 } = coverageOf({
      drawn: draws(1000, 1000),
      others: nothing,
    });
    expect(distinct).toBeLessThan(700);
    expect(estimated).toBeGreaterThan(900);
    expect(estimated).toBeLessThan(1150);
    expect(unseen).toBeCloseTo(0.37, 1);
    // A space of 1,000 needs about 4,600 draws for 99 % of it.
    expect(1000 + schedulesFor99).toBeGreaterThan(3500);
    expect(1000 + schedulesFor99).toBeLessThan(6000);
  });

  it('is complete where everything came often', () => {
    const { distinct, estimated, schedulesFor99 } = coverageOf({ drawn: draws(20, 2000), others: nothing });
    expect([distinct, estimated, schedulesFor99]).toEqual([20, 20, 0]);
  });

  it('is told from below where nothing came twice', () => {
    const few = draws(1e6, 200);
    const { estimated, isAtLeast, schedulesFor99 } = coverageOf({ drawn: few, others: nothing });
    expect(new Set(few).size).toBe(200);
    expect([estimated, isAtLeast]).toEqual([200 + (200 * 199) / 2, true]);
    // Of a space of 20,100, all as likely, 99 % are seen after about ln(100) times as many.
    expect(200 + schedulesFor99).toBeGreaterThan(0.95 * estimated * Math.log(100));
    expect(200 + schedulesFor99).toBeLessThan(1.05 * estimated * Math.log(100));
    expect(coverageOf({ drawn: draws(1000, 1000), others: nothing }).isAtLeast).toBe(false);
  });

  it('is unknown where nothing came twice, and little was drawn', () => {
    const { estimated, schedulesFor99 } = coverageOf({ drawn: Float64Array.of(1, 2, 3), others: nothing });
    expect([estimated, schedulesFor99]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('does not take the repeats of a strategy that has only a few schedules for a small space', () => {
    const drawn = Float64Array.from({ length: 100 }, (_, i) => i);
    const others = Float64Array.of(0, 200, 200, 201, 201, 201);
    const coverage = coverageOf({ drawn, others });
    expect(coverage).toMatchObject({ schedules: 106, drawn: 100, distinct: 102, unseen: 1 });
    expect(coverage).toMatchObject({ estimated: 5050, isAtLeast: true });
  });
});

describe('the bound of a depth', () => {
  const missed = (schedules: number): number => depthBound(2, [{ range: 10, schedules }], 2, 12).missedAtMost;

  it('falls with every schedule', () => {
    expect(missed(0)).toBe(1);
    expect(missed(1)).toBeCloseTo(0.95);
    expect(missed(100)).toBeCloseTo(0.95 ** 100);
  });

  it('claims nothing of schedules that knew no length', () => {
    expect(depthBound(2, [{ range: 0, schedules: 50 }], 2, 12)).toMatchObject({
      schedules: 0,
      missedAtMost: 1,
    });
    expect(depthBound(2, [], 2, 0)).toMatchObject({ schedules: 0, choices: 0, missedAtMost: 1 });
  });

  it('says how many schedules would be needed, which is what then suffices', () => {
    const { neededFor95, neededFor99 } = depthBound(2, [{ range: 10, schedules: 1 }], 2, 12);
    // One finds it with 1/20.
    expect([neededFor95, neededFor99]).toEqual([59, 90]);
    expect(missed(neededFor95)).toBeLessThanOrEqual(0.05);
    expect(missed(neededFor95 - 1)).toBeGreaterThan(0.05);
    expect(missed(neededFor99)).toBeLessThanOrEqual(0.01);
    expect(missed(neededFor99 - 1)).toBeGreaterThan(0.01);
  });

  it('says it of the longest run where no schedule knew a length, and not at all without a choice', () => {
    const unknown = [{ range: 0, schedules: 1 }];
    expect(depthBound(2, unknown, 2, 10)).toMatchObject({ neededFor95: 59, missedAtMost: 1 });
    expect(depthBound(2, unknown, 1, 0).neededFor99).toBe(Number.POSITIVE_INFINITY);
    // Chances too small for a difference from 1 that can be told.
    expect(depthBound(4, unknown, 50, 100_000).neededFor95).toBeCloseTo(50 * 1e15 * Math.log(20), -14);
  });

  it('is about as many choices as most schedules drew from, and counts no shorter ones', () => {
    const drawn = [
      { range: 0, schedules: 4 },
      { range: 10, schedules: 5 },
      { range: 20, schedules: 45 },
      { range: 40, schedules: 50 },
    ];
    const { schedules, choices, missedAtMost } = depthBound(2, drawn, 2, 60);
    expect([schedules, choices]).toEqual([95, 20]);
    expect(missedAtMost).toBeCloseTo((1 - 1 / 40) ** 45 * (1 - 1 / 80) ** 50);
  });
});
