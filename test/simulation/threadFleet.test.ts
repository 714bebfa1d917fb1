/** A run in worker threads: it ends at once with a worker that dies, and waiting leaves nothing behind. */

import { expect, it, vi } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { Conductor } from '../../src/simulation/conductor.js';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { ThreadFleet } from '../../src/simulation/threadFleet.js';
import { smallScenario } from './scenarios.js';

it('reports a worker that died, with its last steps, and does not hang', async () => {
  const config = smallScenario({ executor: 'threads', set: ['workloads.saxpy.rounds=1000'] });
  const buffers = allocateBuffers(config);
  const fleet = await ThreadFleet.start(config, buffers);
  const report = await new Conductor(config, buffers, fleet, {
    onProgress: ({ actors }) => {
      if (actors.some(({ name, steps }) => name === 'gpu1' && steps > 0)) fleet.kill('gpu1');
    },
  }).run();
  await fleet.close();
  expect(report.outcome).toBe('failed');
  expect(report.failure).toMatchObject({ actor: 'gpu1', isVerdict: false });
  expect(report.failure?.lastSteps.length).toBeGreaterThan(0);
});

it('reports a worker that died while somebody held the run', async () => {
  const config = smallScenario({ executor: 'threads', set: ['workloads.saxpy.rounds=1000'] });
  const buffers = allocateBuffers(config);
  const fleet = await ThreadFleet.start(config, buffers);
  let timer: NodeJS.Timeout | undefined;
  const report = await new Conductor(config, buffers, fleet, {
    onLive: (live) => {
      live.pause();
      timer = setInterval(() => {
        if (live.isHeld) fleet.kill('gpu1');
      }, 5);
    },
  }).run();
  clearInterval(timer);
  await fleet.close();
  expect(report.outcome).toBe('failed');
  expect(report.failure).toMatchObject({ actor: 'gpu1', isVerdict: false });
});

it('answers who asked for something of a held run in which a worker dies meanwhile', async () => {
  const config = smallScenario({ executor: 'threads', set: ['workloads.saxpy.rounds=1000'] });
  const buffers = allocateBuffers(config);
  const fleet = await ThreadFleet.start(config, buffers);
  let timer: NodeJS.Timeout | undefined;
  const answers: Promise<readonly string[]>[] = [];
  const report = await new Conductor(config, buffers, fleet, {
    onLive: (live) => {
      live.pause();
      timer = setInterval(() => {
        if (!live.isHeld || answers.length > 0) return;
        fleet.kill('gpu1');
        answers.push(live.inspect(vpn(1), 1), live.inspect(vpn(2), 1));
      }, 5);
    },
  }).run();
  clearInterval(timer);
  await fleet.close();
  expect(report.outcome).toBe('failed');
  expect(await Promise.all(answers)).toEqual([[], []]);
});

it('waits many times for one promise with one reaction to it', async () => {
  const config = smallScenario({ executor: 'threads' });
  const fleet = await ThreadFleet.start(config, allocateBuffers(config));
  const never = new Promise<void>(() => {});
  const reactions = vi.spyOn(never, 'then');
  for (let i = 0; i < 3; i++) {
    expect(await fleet.until(never, fleet.now() + 50e6, undefined)).toBe('time');
  }
  expect(reactions).toHaveBeenCalledTimes(1);
  expect(await fleet.until(Promise.resolve(), Number.POSITIVE_INFINITY, undefined)).toBe('settled');
  await fleet.close();
});
