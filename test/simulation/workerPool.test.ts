/** Runs that follow one another share their workers; a run that fails gives none back. */

import { expect, it } from 'vitest';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { ThreadFleet } from '../../src/simulation/threadFleet.js';
import { WorkerPool } from '../../src/simulation/workerPool.js';
import { smallScenario } from './scenarios.js';

class CountingPool extends WorkerPool {
  readonly taken = new Set<object>();
  given = 0;

  override take(...args: Parameters<WorkerPool['take']>): ReturnType<WorkerPool['take']> {
    const worker = super.take(...args);
    this.taken.add(worker);
    return worker;
  }

  override give(...args: Parameters<WorkerPool['give']>): void {
    this.given++;
    super.give(...args);
  }
}

it('gives workers to the next run, with no actor of the last one', async () => {
  const pool = new CountingPool();
  const config = smallScenario({ executor: 'threads' });
  const actors = 1 + config.deviceCount + config.workloads.length;
  for (let round = 1; round <= 3; round++) {
    const fleet = await ThreadFleet.start(config, allocateBuffers(config), pool);
    expect(await fleet.coordinator.progress()).toEqual([]);
    await fleet.close();
    expect(pool.given).toBe(round * actors);
  }
  expect(pool.taken.size).toBe(actors);
});

it('ends the workers of a run in which one died', async () => {
  const pool = new CountingPool();
  const config = smallScenario({ executor: 'threads' });
  const fleet = await ThreadFleet.start(config, allocateBuffers(config), pool);
  fleet.kill('gpu1');
  await expect(fleet.during(new Promise(() => {}))).rejects.toThrow('its worker ended');
  await fleet.close();
  expect(pool.given).toBe(0);
});
