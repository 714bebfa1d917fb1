/** Programs of the user's own that throw where svmsim asks them, or give what is none: one message with the place. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { withModulePrograms } from '../../src/simulation/withPrograms.js';
import { tempFolder } from '../tempFolder.js';
import { moduleError } from './moduleError.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();
const OOPS = "{ throw new Error('oops'); }";

const mistakes: [string, string, RegExp][] = [
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
    const error = await moduleError(join(folder, `${executor}-${name}`), text, executor);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(found);
    expect(String(error)).toContain(`${join(folder, `${executor}-${name}`)}: `);
  });
});

it('a program that throws is shown with its line, once', async () => {
  const policyFile = join(folder, 'program-throws.mjs');
  writeFileSync(policyFile, `export default { programs: { mine: () => ({\n *run() ${OOPS} }) } };`);
  const config = await withModulePrograms({ ...smallScenario({ executor: 'virtual' }), policyFile });
  const { failure } = await makeSimulation(config).run();
  expect(failure?.message).toMatch(/^mine \(after step [\w.]+, at program-throws\.mjs:2\): oops$/);
});
