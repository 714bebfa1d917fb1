/** A run that is watched while it goes on: what it tells, and that it can be held, stepped and looked into, and still passes. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import type { LiveRun, LiveSnapshot } from '../../src/simulation/liveRun.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { bufferBase } from '../../src/workload/workload.js';
import { smallScenario } from './scenarios.js';

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function stepsOf({ actors }: LiveSnapshot): number {
  return actors.reduce((sum, { steps }) => sum + steps, 0);
}

describe('under threads', { timeout: 240_000 }, () => {
  it('a run is held, stepped, looked into and let go on', async () => {
    const config = smallScenario({ executor: 'threads' });
    const seen: { held: LiveSnapshot[]; page: readonly string[] } = { held: [], page: [] };
    let watching: Promise<void> = Promise.resolve();
    let heldMs = 0;
    const watch = async (live: LiveRun): Promise<void> => {
      expect(await live.inspect(vpn(1), 1)).toEqual([]);
      live.pause();
      await until(() => live.isHeld);
      const heldAtMs = performance.now();
      seen.held.push(await live.snapshot());
      seen.held.push(await live.snapshot());
      await live.step();
      seen.held.push(await live.snapshot());
      seen.page = await live.inspect(bufferBase(0), 1);
      heldMs = performance.now() - heldAtMs;
      live.resume();
      await until(() => !live.isHeld);
    };
    const startMs = performance.now();
    const report = await makeSimulation(config).run({
      onLive: (live) => {
        watching = watch(live);
      },
    });
    const tookMs = performance.now() - startMs;
    await watching;
    expect(report.failure).toBeNull();
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.outcome).toBe('completed');
    const [first, second, stepped] = seen.held;
    expect(first.phase).toBe('paused');
    expect(first.actors.map(({ name }) => name).slice(0, 2)).toEqual(['coordinator', 'gpu0']);
    expect(first.devices.every(({ activity }) => activity?.faultsInFlight === 0)).toBe(true);
    // The time of the run stands still, in what is shown and in the report.
    expect([second.elapsedMs, stepped.elapsedMs]).toEqual([first.elapsedMs, first.elapsedMs]);
    expect(report.wallNs / 1e6).toBeLessThanOrEqual(tookMs - heldMs);
    expect(stepsOf(second)).toBe(stepsOf(first));
    expect(stepped.actors.slice(1).filter(({ letter }) => 'RWF'.includes(letter))).toEqual([]);
    expect(stepsOf(stepped)).toBeGreaterThan(stepsOf(second));
    expect(seen.page[0]).toMatch(/^CPU +0x/);
    expect(seen.page[1]).toMatch(/^gpu0 /);
  });

  it('a run that is held ends when it is told to', async () => {
    const stop = new AbortController();
    const report = await makeSimulation(smallScenario({ executor: 'threads' })).run({
      signal: stop.signal,
      onLive: (live) => {
        live.pause();
        void until(() => live.isHeld).then(() => stop.abort());
      },
    });
    expect([report.outcome, report.failure]).toEqual(['interrupted', null]);
  });
});

describe('under virtual', { timeout: 240_000 }, () => {
  it('a snapshot can be taken, and changes nothing', async () => {
    const config = smallScenario({ executor: 'virtual' });
    let taken: Promise<LiveSnapshot> | null = null;
    const watched = await makeSimulation(config).run({
      onLive: (live) => {
        taken = live.snapshot();
      },
    });
    const alone = await makeSimulation(config).run();
    expect(await taken).toMatchObject({ elapsedMs: expect.any(Number) });
    expect([watched.steps, watched.simulatedNs]).toEqual([alone.steps, alone.simulatedNs]);
  });
});
