/** A search over a program: the same result whatever number of workers took part. */

import { describe, expect, it, vi } from 'vitest';
import { sharedNowMs } from '../../src/base/sharedClock.js';
import { findBug } from '../../src/bugs/catalogue.js';
import { type BlockResult, runBlock } from '../../src/explore/block.js';
import {
  Exploration,
  type ExplorationLimits,
  type ExplorationReport,
} from '../../src/explore/exploration.js';
import type { ExplorationTarget } from '../../src/explore/target.js';

const limits: ExplorationLimits = {
  schedules: 30,
  seconds: Number.POSITIVE_INFINITY,
  seed: 1,
  strategy: null,
  keepGoing: false,
};

/** Its accesses need more steps than it is allowed in the test. */
const longScenario: ExplorationTarget['source'] = {
  kind: 'scenario',
  path: 'long.yaml',
  text: [
    'executor: virtual',
    'ram: 256pages',
    'devices: { count: 1, vram: 32pages }',
    'svm: { chunks: [4KiB] }',
    'workloads:',
    '  - { kind: pattern, pattern: uniform, size: 4pages, accesses: 1000, rounds: 20 }',
  ].join('\n'),
  set: [],
};

function targetOf(id: string, withBug: boolean): ExplorationTarget {
  const bug = findBug(id);
  if (bug === null) throw new Error(`${id} is missing`);
  return { source: bug.subject, bug: withBug ? id : null };
}

function explore(
  target: ExplorationTarget,
  jobs: number,
  changed: Partial<ExplorationLimits> = {},
  delays: readonly number[] = [],
): Promise<ExplorationReport> {
  const run = async (task: Parameters<typeof runBlock>[0]): Promise<BlockResult> => {
    const result = runBlock(task, true);
    await new Promise((resolve) => setTimeout(resolve, delays[task.index] ?? 0));
    return result;
  };
  const exploration = new Exploration(target, { ...limits, ...changed }, run, () => 0);
  return exploration.run(jobs, new AbortController().signal);
}

describe('a search', () => {
  it('claims nothing of one schedule of PCT, which knew no length', async () => {
    const bounds = async (schedules: number) =>
      (await explore(targetOf('B107', false), 1, { strategy: 'pct2', schedules })).bounds;
    expect(await bounds(1)).toMatchObject([{ depth: 2, schedules: 0, missedAtMost: 1 }]);
    const [{ schedules, missedAtMost }] = await bounds(30);
    expect(schedules).toBeGreaterThan(20);
    expect(schedules).toBeLessThan(30);
    expect(missedAtMost).toBeLessThan(1);
  });

  it('tells how much it has done where nothing is wrong', async () => {
    const report = await explore(targetOf('B107', false), 1);
    expect(report.findings).toEqual([]);
    expect(report.schedules).toBe(30);
    expect(report.coverage).toMatchObject({ distinct: 30, drawn: 30 });
    expect(report.stepsMin).toBeGreaterThan(100);
    expect(report.stepsMean).toBeLessThanOrEqual(report.stepsMax);
  });

  it('estimates no space from the few schedules of round robin', async () => {
    const report = await explore(targetOf('B107', false), 1, { strategy: 'round-robin', schedules: 60 });
    expect(report.coverage).toMatchObject({ schedules: 60, drawn: 0 });
    expect(report.coverage.distinct).toBeLessThanOrEqual(56);
  });

  it('ends with the first failure, and gives the choices that lead there', async () => {
    const report = await explore(targetOf('B107', true), 1);
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0].choices.length).toBeGreaterThan(10);
    expect(report.schedules).toBe(report.findings[0].schedule + 1);
  });

  it('finds the same with two workers, whoever is first', async () => {
    const [one, two] = [
      await explore(targetOf('B107', true), 1),
      await explore(targetOf('B107', true), 2, {}, [40, 0]),
    ];
    expect(two).toEqual(one);
  });

  it('ends early when it is told to, and says so', async () => {
    const run = async (task: Parameters<typeof runBlock>[0]) => runBlock(task, true);
    const exploration = new Exploration(targetOf('B107', false), limits, run, () => 0);
    const report = await exploration.run(1, AbortSignal.abort());
    expect([report.isPartial, report.schedules]).toEqual([true, 0]);
  });

  it('has no room for more schedules than it has run, however many it may run', async () => {
    const report = explore(targetOf('B107', false), 1, { strategy: 'dfs', schedules: 1e9, seconds: 0 });
    // Time has passed before the first look at the clock.
    expect((await report).schedules).toBe(0);
    const task = { index: 0, strategy: 'dfs', seed: 1, schedules: 1e9, endAtSharedMs: 0 } as const;
    const result = runBlock({ ...task, target: targetOf('B107', false), targetKey: 'room' }, true);
    expect(result.schedules).toBeGreaterThan(0);
    expect(result.hashes.buffer.byteLength).toBe(8 * result.schedules);
  });

  it('cuts a schedule off that goes on long after the end, and decides nothing by it', () => {
    const task = { index: 0, strategy: 'random', seed: 1, schedules: 10, endAtSharedMs: 0 } as const;
    const result = runBlock(
      { ...task, target: { source: longScenario, bug: null }, targetKey: 'late' },
      true,
    );
    expect(result).toMatchObject({ schedules: 1, undecided: 1, findings: [] });
    expect(result.stepsMax).toBeLessThan(2048);
  });

  it('goes by a clock that nobody can set', async () => {
    const setBack = vi.spyOn(Date, 'now').mockReturnValue(0);
    const target = targetOf('B107', false);
    const task = { target, targetKey: 'clock', index: 0, strategy: 'dfs', seed: 1, schedules: 80 } as const;
    expect(runBlock({ ...task, endAtSharedMs: sharedNowMs() }, true).schedules).toBe(63);
    let endAtSharedMs = 0;
    const run = async (dealt: Parameters<typeof runBlock>[0]) => {
      ({ endAtSharedMs } = dealt);
      return runBlock({ ...dealt, schedules: 1 }, true);
    };
    const beforeMs = sharedNowMs();
    await new Exploration(target, { ...limits, seconds: 60, schedules: 1 }, run, () => 0).run(
      1,
      new AbortController().signal,
    );
    expect(endAtSharedMs).toBeGreaterThanOrEqual(beforeMs + 60_000);
    expect(endAtSharedMs).toBeLessThanOrEqual(sharedNowMs() + 60_000);
    setBack.mockRestore();
  });

  it('ends with the first block where each of its schedules is too long, and has found nothing', async () => {
    const target = { source: longScenario, bug: null, stepsMax: 500 };
    const report = await explore(target, 2, { schedules: 600 });
    expect([report.schedules, report.undecided, report.findings]).toEqual([3, 3, []]);
  });

  it('counts what a block has done by the time that it is told to stop', async () => {
    const interrupt = new AbortController();
    const run = async (task: Parameters<typeof runBlock>[0]) => {
      const result = runBlock({ ...task, schedules: 2 }, true);
      interrupt.abort();
      // What the block under way does from then on.
      expect(runBlock(task, true).schedules).toBe(0);
      return result;
    };
    const exploration = new Exploration(targetOf('B107', false), limits, run, () => 0);
    const report = await exploration.run(1, interrupt.signal);
    expect([report.isPartial, report.schedules]).toEqual([true, 2]);
  });
});
