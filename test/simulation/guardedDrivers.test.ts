/** Drivers and invalidations of the user's own that throw where svmsim asks them, or give what is no answer: one message with the place. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { Invalidation, simulate } from '../../src/index.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { tempFolder } from '../tempFolder.js';
import { moduleError } from './moduleError.js';
import { smallScenario } from './scenarios.js';

const folder = tempFolder();
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
];

describe.each(['virtual', 'threads'] as const)('under %s', (executor) => {
  it.each(mistakes)('%s ends the run with one line', async (name, text, found) => {
    const error = await moduleError(join(folder, `${executor}-${name}`), text, executor);
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

it('says so of a setup in code, too', async () => {
  const none = [() => JSON.parse('null')];
  await expect(simulate({ drivers: none })).rejects.toThrow(/policy: found drivers\[0\]\(\) that gives null/);
});

it.each(['virtual', 'threads'] as const)(
  'an answer that brings the simulator to what cannot be done is no failure of the simulator, under %s',
  async (executor) => {
    const policyFile = join(folder, `${executor}-breaks.mjs`);
    writeFileSync(
      policyFile,
      `export default { drivers: [({ calls }) => { calls.memoryMap = null; return { ${good} }; }] }`,
    );
    const { outcome, failure } = await makeSimulation({ ...smallScenario({ executor }), policyFile }).run();
    expect([outcome, failure?.actor, failure?.isVerdict]).toEqual(['failed', 'coordinator', true]);
  },
);

describe('what a driver gives where tasks ask it', () => {
  const FAULT =
    / for a (load|store) of device \d at 0x[0-9a-f]+, allowed: a generator function, which returns 0 \(OK\)/;
  it.each([
    [
      'forgotten',
      '*serveFault(fault, by) { yield* by(); }',
      /serveFault\(\) of drivers\[0\] that gives undefined/,
    ],
    ['positive', '*serveFault(fault, by) { yield* by(); return 14; }', /that gives 14 for/],
    ['unknown', '*serveFault(fault, by) { yield* by(); return -99999; }', /that gives -99999 for/],
    ['yes', '*serveFault(fault, by) { yield* by(); return true; }', /that gives true for/],
    ['text', "*serveFault() { return 'x'; }", /that gives 'x' for/],
    ['never run', '*serveFault(fault, by) { return by; }', /that gives a function for/],
    ['plain', 'serveFault() { return 0; }', /serveFault\(\) of drivers\[0\] that gives 0 for/],
    ['async', 'async serveFault() { return 0; }', /that gives a promise for/],
  ])('for a fault, %s, ends the run with one line', async (name, serveFault, found) => {
    const text = `{ drivers: [() => ({ ${good}, ${serveFault} })] }`;
    const error = await moduleError(join(folder, `fault ${name}.mjs`), text, 'virtual');
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toContain(`${join(folder, `fault ${name}.mjs`)}: found `);
    expect(String(error)).toMatch(found);
    expect(String(error)).toMatch(FAULT);
  });

  const calling = 'programs: { calls: () => ({ *run(host) { yield* host.ioctl(1000, -1, 0, 0, 0, 0); } }) }';
  it.each([
    [
      'closes',
      `{ drivers: [() => ({ ${good}, closeAll() {} })] }`,
      /closeAll\(\) of drivers\[0\] that gives undefined, allowed: a generator function/,
    ],
    [
      'counts',
      `{ drivers: [() => ({ ${good}, notifiersOf() {} })] }`,
      /notifiersOf\(\) of drivers\[0\] that gives undefined, allowed: a number/,
    ],
    [
      'plain call',
      `{ ${calling}, drivers: [() => ({ ${good}, register: (calls) => calls.register(1000, () => 0) })] }`,
      /the call 1000 of drivers\[0\] that gives 0, allowed: a generator function, which returns ioctlReply/,
    ],
    [
      'no reply',
      `{ ${calling}, drivers: [() => ({ ${good}, register: (calls) => calls.register(1000, function* () {}) })] }`,
      /the call 1000 of drivers\[0\] that gives undefined, allowed/,
    ],
    ...[
      ['{ errno: -3, a: 0, b: 0 }', 'errno is -3'],
      ['{ errno: 5, a: 0, b: 0 }', 'errno is 5'],
      ['{ errno: 0, a: 1 }', 'b is undefined'],
    ].map(([reply, wrong]): [string, string, RegExp] => [
      `answers ${wrong}`,
      `{ drivers: [() => ({ ${good}, register(calls) { calls.register(1000, function* () { return ${reply}; }); } })], ${calling} }`,
      new RegExp(
        `that gives an object in which ${wrong}, allowed: a generator function, which returns ioctlReply`,
      ),
    ]),
  ])('where it %s ends the run with one line', async (name, text, found) => {
    const error = await moduleError(join(folder, `${name}.mjs`), text, 'virtual');
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(found);
  });
});

it.each(['invalidate', 'unmapParts', 'invalidateTlbs'])(
  'an invalidation whose %s is no generator function is told by its name',
  async (name) => {
    const invalidation = (...[vm]: ConstructorParameters<typeof Invalidation>): Invalidation => {
      const made = new Invalidation(vm);
      Reflect.set(made, name, () => {});
      return made;
    };
    const scenario = {
      ram: '16MiB',
      devices: { count: 1, vram: '8MiB' },
      workloads: [{ kind: 'invalidate' as const, size: '4pages', operations: 4 }],
    };
    const error: unknown = await simulate({ scenario, invalidation }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toContain(
      `found ${name}() of invalidation that gives undefined, allowed: a generator function`,
    );
  },
);
