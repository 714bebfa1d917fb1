/** What becomes of a run whose worker dies: it ends at once, and says which actor it was. */

import { expect, it } from 'vitest';
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
