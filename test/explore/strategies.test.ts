/** What every strategy must do, and what makes each of them different. */

import { describe, expect, it } from 'vitest';
import { RecordingStrategy } from '../../src/explore/recordingStrategy.js';
import { DepthFirst } from '../../src/explore/strategies/depthFirst.js';
import {
  isDepthFirst,
  makeStrategy,
  portfolio,
  strategyNames,
} from '../../src/explore/strategies/makeStrategy.js';
import { Pct, pctBound } from '../../src/explore/strategies/pct.js';
import { ReplayStrategy } from '../../src/explore/strategies/replay.js';
import { PARK, STEP, type StepId, type Steps } from '../../src/sim/steps.js';
import type { Strategy } from '../../src/sim/strategy.js';
import { actorId, Task } from '../../src/sim/task.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';

/** Tasks a, b, ... of so many steps each; the order in which they took them. */
function runTasks(strategy: Strategy, lengths: readonly number[]): string | null {
  const recording = new RecordingStrategy(strategy, Number.POSITIVE_INFINITY);
  if (!recording.newExecution()) return null;
  const executor = new VirtualExecutor(recording);
  let order = '';
  const body = function* (name: string, steps: number): Steps<void> {
    for (let i = 0; i < steps; i++) {
      order += name;
      if (i + 1 < steps) yield STEP;
    }
  };
  lengths.forEach((steps, i) => {
    executor.spawn(actorId(i), `task ${i}`, body('abcdef'[i], steps));
  });
  executor.run();
  return order;
}

function* noSteps(): Steps<void> {}

function idleTask(id: number): Task {
  return new Task(id, actorId(0), `task ${id}`, noSteps(), false);
}

function orders(strategy: Strategy, lengths: readonly number[], runs: number): string[] {
  return Array.from({ length: runs }, () => runTasks(strategy, lengths) ?? '').filter(
    (order) => order !== '',
  );
}

describe.each(strategyNames.map((name) => [name] as const))('strategy %s', (name) => {
  it('makes the same schedules from the same seed', () => {
    const first = orders(makeStrategy(name, 5), [3, 3, 2], 30);
    expect(orders(makeStrategy(name, 5), [3, 3, 2], 30)).toEqual(first);
  });

  it('makes several schedules, each of which runs every task to its end', () => {
    const made = orders(makeStrategy(name, 5), [3, 3, 2], 30);
    expect(new Set(made).size).toBeGreaterThan(3);
    for (const order of made) expect([...order].sort().join('')).toBe('aaabbbcc');
  });
});

describe('strategies', () => {
  it('depth first goes through all schedules without a preemption once, and then ends', () => {
    const strategy = new DepthFirst(0);
    expect(orders(strategy, [2, 2, 2], 100).sort()).toEqual(
      ['aabbcc', 'aaccbb', 'bbaacc', 'bbccaa', 'ccaabb', 'ccbbaa'].sort(),
    );
    expect(strategy.isComplete).toBe(true);
  });

  it('depth first with enough preemptions goes through all interleavings', () => {
    const made = orders(new DepthFirst(10), [3, 3], 1000);
    expect(new Set(made).size).toBe(20);
    expect(made).toHaveLength(20);
  });

  it('PCT of depth 1 lets one task after the other run to its end', () => {
    for (const order of orders(makeStrategy('pct2', 3), [3, 3], 1))
      expect(['aaabbb', 'bbbaaa']).toContain(order);
  });

  it('PCT knows from how many choices its changes were drawn', () => {
    const pct = new Pct(1, 2);
    const ranges = [
      [2, 2],
      [1, 1],
      [4, 4],
      [2, 2],
    ].map((lengths) => {
      orders(pct, lengths, 1);
      return pct.range;
    });
    // The first run knows no length; the third is longer than what it draws from.
    expect(ranges[0]).toBe(0);
    expect(ranges[1]).toBeGreaterThan(0);
    expect(ranges[2]).toBe(ranges[1]);
    expect(ranges[3]).toBeGreaterThan(ranges[2]);
  });

  it('PCT puts a task that loses its priority below those that have lost theirs', () => {
    let seen = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const pct = new Pct(seed, 3);
      const all = [1, 2, 3].map((id) => idleTask(id));
      pct.newExecution();
      for (let i = 0; i < 30; i++) pct.nextTask(all);
      pct.newExecution();
      const chosen = new Set<Task>();
      for (let i = 0; i < 31; i++) chosen.add(all[pct.nextTask(all)]);
      const [first, second, third] = chosen;
      if (third === undefined) continue;
      seen++;
      expect([second, first][pct.nextTask([second, first])]).toBe(first);
    }
    expect(seen).toBeGreaterThan(5);
  });

  it('partial order sampling has a task that was passed over draw anew where it races, and keep its priority elsewhere', () => {
    const repeatsOf = (steps: readonly StepId[]): number => {
      const pos = makeStrategy('pos', 1);
      pos.newExecution();
      const tasks = steps.map((step, i) => Object.assign(idleTask(i + 1), { lastStep: step }));
      const chosen = Array.from({ length: 3000 }, () => pos.nextTask(tasks, null));
      return chosen.filter((index, i) => index === chosen[i - 1]).length / chosen.length;
    };
    // Two new draws are equally likely to be the larger one; one that was smaller before mostly stays so.
    expect(repeatsOf([STEP, STEP])).toBeLessThan(0.53);
    expect(repeatsOf([STEP, PARK])).toBeGreaterThan(0.6);
  });

  it('a uniform random walk learns to leave long tasks room', () => {
    const strategy = makeStrategy('urw', 1);
    orders(strategy, [30, 2], 50);
    const lastShort = orders(strategy, [30, 2], 200).map((order) => order.lastIndexOf('b'));
    const mean = lastShort.reduce((sum, at) => sum + at, 0) / lastShort.length;
    // Uniform interleavings have the last of two at two thirds.
    expect(mean).toBeGreaterThan(17);
    expect(mean).toBeLessThan(25);
  });

  it('a uniform random walk makes all interleavings about equally likely, however long it has learned', () => {
    const strategy = makeStrategy('urw', 1);
    orders(strategy, [2, 2], 100);
    const made = orders(strategy, [2, 2], 600);
    const inARow = made.filter((order) => order === 'aabb' || order === 'bbaa');
    // Two of six.
    expect(inARow.length / made.length).toBeGreaterThan(0.27);
    expect(inARow.length / made.length).toBeLessThan(0.4);
  });

  it('depth first has the bound that its name says, and two preemptions without a number', () => {
    const schedules = (strategy: Strategy): number => orders(strategy, [3, 3], 1000).length;
    const bounds = [
      ['dfs', 2],
      ['dfs0', 0],
      ['dfs1', 1],
      ['dfs3', 3],
      ['dfs4', 4],
    ] as const;
    expect(strategyNames.filter(isDepthFirst)).toEqual(bounds.map(([name]) => name));
    for (const [name, bound] of bounds)
      expect(schedules(makeStrategy(name, 1))).toBe(schedules(new DepthFirst(bound)));
  });

  it('a replay is exact once every choice was asked for and could be made', () => {
    const tasks = [1, 2].map((id) => idleTask(id));
    const replayed = (choices: readonly number[]): boolean => {
      const replay = new ReplayStrategy(Uint32Array.from(choices));
      replay.newExecution();
      for (let i = 0; i < 2; i++) replay.nextTask(tasks, null);
      return replay.isExact;
    };
    expect(replayed([2, 1])).toBe(true);
    expect(replayed([2, 1, 2])).toBe(false);
    expect(replayed([2])).toBe(false);
    expect(replayed([2, 3])).toBe(false);
  });

  it('the bound of PCT is that of its paper', () => {
    expect(pctBound(1, 4, 100)).toBe(1 / 4);
    expect(pctBound(3, 2, 10)).toBe(1 / 200);
  });

  it('the portfolio has no strategy that needs more than a block', () => {
    expect(portfolio.filter(isDepthFirst)).toEqual([]);
  });
});
