/** A run in which somebody goes on and on, or waits in vain, ends and says who and for what. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import type { RunReport } from '../../src/simulation/runReport.js';
import { tempFolder } from '../tempFolder.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();

/** Simulated. */
const STUCK_AFTER_MS = 20;

function run(name: string, serveFault: string, verifyEveryMs = 0): Promise<RunReport> {
  const policyFile = join(folder, name);
  const driver = `{ *serveFault(fault, byDefault) { ${serveFault} }, register() {}, notifiersOf: () => 0, *closeAll() {} }`;
  writeFileSync(policyFile, `export default { drivers: [({ kernel }) => (${driver})] };`);
  const config = smallScenario({ executor: 'virtual' });
  return makeSimulation({ ...config, policyFile }).run({ stuckAfterMs: STUCK_AFTER_MS, verifyEveryMs });
}

it('of a driver that says that faults are served, and serves none', async () => {
  const { failure } = await run('idle.mjs', 'return 0;');
  expect(failure?.actor).toMatch(/^gpu\d$/);
  expect(failure?.message).toMatch(
    /^no progress for 0\.02s: (.* waits for an answer to a fault of gpu|its kernel completes no access, and faults)/,
  );
});

it('also where nobody comes to rest any more because of it', async () => {
  const { failure } = await run('restless.mjs', 'return 0;', 1);
  expect(failure?.actor).toMatch(/^gpu\d$/);
  expect(failure?.message).toMatch(/^no progress for 0\.02s: /);
});

it('of a driver that never answers, though all else goes on', async () => {
  const { failure } = await run('silent.mjs', 'for (;;) yield* kernel.sched.spend(1000);');
  expect(failure?.message).toMatch(/^no progress for 0\.02s: .* waits for an answer to a fault of gpu/);
});

it('but of no driver that does as it should', async () => {
  expect((await run('good.mjs', 'return yield* byDefault();')).failure).toBeNull();
});
