/** A search from code: how far it goes, who hears of it meanwhile, and how it is ended before its time. The clock goes on with each look at it. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type ExploreProgress, explore, type Setup, STEP } from '../../src/index.js';

const clock = vi.hoisted(() => ({ nowMs: 0 }));

vi.mock('../../src/base/sharedClock.js', () => ({
  sharedNowMs: () => {
    clock.nowMs += 10;
    return clock.nowMs;
  },
}));

beforeEach(() => {
  clock.nowMs = 0;
});

let runs = 0;
let onRun: () => void = () => {};

const setup: Setup = {
  scenario: { ram: '1MiB', devices: { count: 1, vram: '1MiB' }, workloads: [] },
  programs: {
    counted: () => ({
      *run() {
        runs++;
        onRun();
        yield STEP;
        return null;
      },
    }),
  },
};

beforeEach(() => {
  runs = 0;
  onRun = () => {};
});

describe('a search', () => {
  it('ends when its time is up, however many schedules it might run', async () => {
    const { schedules, isPartial } = await explore(setup, { seconds: 2, strategy: 'random' });
    expect(schedules).toBeGreaterThan(10);
    expect(schedules).toBeLessThan(1000);
    expect(isPartial).toBe(false);
  });

  it('runs as many schedules as are asked for where there is time for them', async () => {
    const { schedules, isPartial } = await explore(setup, { seconds: 1000, schedules: 70 });
    expect([schedules, isPartial]).toEqual([70, false]);
  });

  it('ends with a signal between two schedules', async () => {
    const controller = new AbortController();
    onRun = () => {
      if (runs === 30) controller.abort();
    };
    const { schedules, isPartial, failure } = await explore(setup, { signal: controller.signal });
    // Of a schedule that was run twice each time counts here.
    expect(schedules).toBeLessThanOrEqual(30);
    expect(schedules).toBeGreaterThan(20);
    expect([isPartial, failure]).toEqual([true, null]);
  });

  it('hears of a signal that comes from elsewhere, as others have turns meanwhile', async () => {
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    const { schedules, isPartial } = await explore(setup, { signal: controller.signal });
    expect(schedules).toBeLessThan(1000);
    expect(isPartial).toBe(true);
  });

  it('does not begin where the signal has come before', async () => {
    const { schedules, isPartial } = await explore(setup, { signal: AbortSignal.abort() });
    expect([schedules, isPartial]).toEqual([0, true]);
  });

  it('tells how far it is', async () => {
    const told: ExploreProgress[] = [];
    const { schedules, steps } = await explore(setup, {
      schedules: 300,
      onProgress: (progress) => told.push(progress),
    });
    expect(told.length).toBeGreaterThan(1);
    const counts = told.map((one) => one.schedules);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    const last = told[told.length - 1];
    expect(last.schedules).toBeLessThanOrEqual(schedules);
    expect(last.steps).toBeLessThanOrEqual(steps);
    expect(last.elapsedMs).toBeGreaterThan(0);
  });

  it('gives the same with and without somebody who looks on', async () => {
    const seen = await explore(setup, { schedules: 120, onProgress: () => {} });
    expect(await explore(setup, { schedules: 120 })).toEqual(seen);
  });
});
