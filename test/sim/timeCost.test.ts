/** Times that are drawn: within their bounds, with the percentiles that they are named by, and the same for the same numbers. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sim/random.js';
import { actorId } from '../../src/sim/task.js';
import { drawNs, type TimeCost, type TimeDistribution } from '../../src/sim/timeCost.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';

const DRAWS = 20_000;

function sorted(cost: TimeDistribution, seed = 1): number[] {
  const random = new Random(seed);
  return Array.from({ length: DRAWS }, () => drawNs(cost, () => random.u32())).sort((a, b) => a - b);
}

const at = (values: number[], share: number): number => values[Math.floor(share * (values.length - 1))];

describe('a time that is drawn', () => {
  it('from a uniform distribution lies between its bounds', () => {
    const values = sorted({ kind: 'uniform', leastNs: 20_000, mostNs: 50_000 });
    expect(values[0]).toBeGreaterThanOrEqual(20_000);
    expect(values.at(-1)).toBeLessThan(50_000);
    expect(at(values, 0.5)).toBeCloseTo(35_000, -3);
  });

  it('from a normal distribution has its mean in the middle, and is never below zero', () => {
    const values = sorted({ kind: 'normal', meanNs: 1000, deviationNs: 600 });
    expect(Math.abs(at(values, 0.5) - 1000)).toBeLessThan(20);
    expect(Math.abs(at(values, 0.8413) - 1600)).toBeLessThan(40);
    expect(values[0]).toBe(0);
  });

  it('from a lognormal one has the median and the 99th percentile that name it', () => {
    const values = sorted({ kind: 'lognormal', medianNs: 20_000, p99Ns: 50_000 });
    expect(Math.abs(at(values, 0.5) / 20_000 - 1)).toBeLessThan(0.02);
    expect(Math.abs(at(values, 0.99) / 50_000 - 1)).toBeLessThan(0.05);
  });

  it('passes as simulated time, the same for the same seed', () => {
    const timeOf = (cost: TimeCost, seed: number): number => {
      const strategy = new RandomStrategy(seed);
      strategy.newExecution();
      const sched = new VirtualExecutor(strategy);
      sched.spawn(actorId(0), 'work', sched.spend(cost));
      sched.run();
      return sched.now();
    };
    const cost: TimeCost = { kind: 'uniform', leastNs: 10, mostNs: 1e6 };
    expect(timeOf(1234, 1)).toBe(1234);
    expect(timeOf(cost, 1)).toBe(timeOf(cost, 1));
    expect(timeOf(cost, 1)).not.toBe(timeOf(cost, 2));
  });
});
