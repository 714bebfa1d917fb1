/** Drivers, invalidations and programs of the user's own that throw where svmsim asks them, or give what is none: one message with the place. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { simulate } from '../../src/library/simulate.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { withModulePrograms } from '../../src/simulation/withPrograms.js';
import { tempFolder } from '../tempFolder.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();

async function errorOf(name: string, text: string, executor: 'virtual' | 'threads'): Promise<unknown> {
  const policyFile = join(folder, `${executor}-${name}`);
  writeFileSync(policyFile, `export default ${text}`);
  const run = withModulePrograms({ ...smallScenario({ executor }), policyFile }).then((config) =>
    makeSimulation(config).run(),
  );
  return run.then(
    () => null,
    (error: unknown) => error,
  );
}

const good = 'register() {}, notifiersOf: () => 0, *closeAll() {}';
const OOPS = "{ throw new Error('oops'); }";

const mistakes: [string, string, RegExp][] = [
  [
    'null.mjs',
    '{ drivers: [() => null] }',
    /drivers\[0\]\(\) that gives null, allowed: a driver \{register\(\)/,
  ],
  ['half.mjs', '{ drivers: [() => ({ register() {} })] }', /drivers\[0\]\(\) that gives an object, allowed/],
  ['maker.mjs', `{ drivers: [() => ${OOPS}] }`, /drivers\[0\]\(\) that throws Error: oops at .*maker\.mjs:1/],
  [
    'register.mjs',
    `{ drivers: [() => ({ ${good}, register() ${OOPS} })] }`,
    /register\(\) of drivers\[0\] that throws/,
  ],
  [
    'counts.mjs',
    `{ drivers: [() => ({ ${good}, notifiersOf() ${OOPS} })] }`,
    /notifiersOf\(\) of drivers\[0\] that throws/,
  ],
  ['invalid.mjs', `{ invalidation: () => ${OOPS} }`, /invalidation\(\) that throws Error: oops at/],
  [
    'none.mjs',
    '{ invalidation: () => ({}) }',
    /invalidation\(\) that gives an object, allowed: an Invalidation/,
  ],
  ['program.mjs', `{ programs: { mine: () => ${OOPS} } }`, /programs\.mine\(\) that throws Error: oops at/],
  [
    'runless.mjs',
    '{ programs: { mine: () => ({}) } }',
    /programs\.mine\(\) that gives an object, allowed: a program \{run/,
  ],
  [
    'plain.mjs',
    '{ programs: { mine: () => ({ run: () => null }) } }',
    /run\(\) of programs\.mine that gives null, allowed: a generator function/,
  ],
  [
    'async.mjs',
    '{ programs: { mine: () => ({ async *run() {} }) } }',
    /run\(\) of programs\.mine that gives an object, allowed: a generator function/,
  ],
  [
    'number.mjs',
    '{ programs: { mine: () => ({ *run() { return 5; } }) } }',
    /run\(\) of programs\.mine that gives 5, allowed: a generator function, which returns in words/,
  ],
  [
    'kernel.mjs',
    '{ programs: { mine: () => ({ *run(host) { yield* host.launch(0, 0, 0, 0); }, kernel: () => 7 }) } }',
    /kernel\(\) of programs\.mine that gives 7, allowed: a generator function of a context/,
  ],
  [
    'plainKernel.mjs',
    '{ programs: { mine: () => ({ *run(host) { yield* host.launch(0, 0, 0, 0); }, kernel: () => () => 5 }) } }',
    /kernel\(\) of programs\.mine that gives 5, allowed: a generator function of a context/,
  ],
  [
    'wordyKernel.mjs',
    "{ programs: { mine: () => ({ *run(host) { yield* host.launch(0, 0, 0, 0); }, kernel: () => function* () { return 'x'; } }) } }",
    /kernel\(\) of programs\.mine that gives 'x', allowed: .*, which returns an errno/,
  ],
  [
    'expect.mjs',
    `{ programs: { mine: () => ({ *run() { return null; }, expect() ${OOPS} }) } }`,
    /expect\(\) of programs\.mine that throws/,
  ],
];

describe.each(['virtual', 'threads'] as const)('under %s', (executor) => {
  it.each(mistakes)('%s ends the run with one line', async (name, text, found) => {
    const error = await errorOf(name, text, executor);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(found);
    expect(String(error)).toContain(`${join(folder, `${executor}-${name}`)}: `);
  });
});

it.each(['virtual', 'threads'] as const)(
  'a driver that throws where a fault is served is shown with its line, under %s',
  async (executor) => {
    const policyFile = join(folder, `${executor}-throws.mjs`);
    const driver = `{ ${good},\n *serveFault() ${OOPS} }`;
    writeFileSync(policyFile, `export default { drivers: [() => (${driver})] };`);
    const report = await makeSimulation({ ...smallScenario({ executor }), policyFile }).run();
    expect(report.failure?.actor).toBe('coordinator');
    expect(report.failure?.message).toMatch(
      /\(after step [\w.]+, at (virtual|threads)-throws\.mjs:2\): oops$/,
    );
  },
);

it('a program that throws is shown with its line, once', async () => {
  const policyFile = join(folder, 'program-throws.mjs');
  writeFileSync(policyFile, `export default { programs: { mine: () => ({\n *run() ${OOPS} }) } };`);
  const config = await withModulePrograms({ ...smallScenario({ executor: 'virtual' }), policyFile });
  const { failure } = await makeSimulation(config).run();
  expect(failure?.message).toMatch(/^mine \(after step [\w.]+, at program-throws\.mjs:2\): oops$/);
});

it('says so of a setup in code, too', async () => {
  const none = [() => JSON.parse('null')];
  await expect(simulate({ drivers: none })).rejects.toThrow(/policy: found drivers\[0\]\(\) that gives null/);
});

it.each(['virtual', 'threads'] as const)(
  'an answer that brings the simulator to what cannot be done is no failure of the simulator, under %s',
  async (executor) => {
    const policyFile = join(folder, `${executor}-starless.mjs`);
    writeFileSync(
      policyFile,
      `export default { drivers: [() => ({ ${good}, serveFault() { return 0; } })] }`,
    );
    const { outcome, failure } = await makeSimulation({ ...smallScenario({ executor }), policyFile }).run();
    expect([outcome, failure?.actor, failure?.isVerdict]).toEqual(['failed', 'coordinator', true]);
  },
);
