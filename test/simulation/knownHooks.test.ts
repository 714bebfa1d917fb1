/** A hook whose name is misspelt would never be asked, and the run would pass: it is refused, and what only looks like one is not. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Invalidation, simulate } from '../../src/index.js';
import { tempFolder } from '../tempFolder.js';
import { moduleError } from './moduleError.js';

const folder = tempFolder();
const good = 'register() {}, notifiersOf: () => 0, *closeAll() {}';
const goodMethods = 'register() {} notifiersOf() { return 0; } *closeAll() {}';
const serves = '*serveFault(fault, byDefault) { return yield* byDefault(); }';

function driver(exported: string): string {
  return `{ drivers: [() => (${exported})] }`;
}

const refused: [string, string, RegExp][] = [
  [
    'key',
    driver(`{ ${good}, *servFault() {} }`),
    /: key 'drivers\[0\]\.servFault': found an unknown key, allowed: register, notifiersOf, closeAll, serveFault; .*\(did you mean 'serveFault'\?\)$/,
  ],
  [
    'key that nothing is meant by',
    driver(`{ ${good}, ${serves}, colour: 1 }`),
    /: key 'drivers\[0\]\.colour': found an unknown key, allowed: [^(]*$/,
  ],
  [
    'needed key',
    driver('{ regster() {}, notifiersOf: () => 0, *closeAll() {} }'),
    /: key 'drivers\[0\]\.regster': found an unknown key, .*\(did you mean 'register'\?\)$/,
  ],
  [
    'method',
    driver(`new (class { ${goodMethods} *serveFaults() {} })()`),
    /: key 'drivers\[0\]\.serveFaults': found an unknown method, .*\(did you mean 'serveFault'\?\)$/,
  ],
  [
    'program',
    '{ programs: { mine: () => ({ *run() { return null; }, expct: () => [] }) } }',
    /: key 'programs\.mine\.expct': found an unknown method, .*\(did you mean 'expect'\?\)$/,
  ],
];

it.each(refused)('refuses a misspelt %s', async (name, exported, message) => {
  const error = await moduleError(join(folder, `${name}.mjs`), exported, 'virtual');
  expect(error).toMatchObject({ exitCode: 2 });
  expect(String(error)).toMatch(message);
});

it('refuses it in the thread that makes it, too', async () => {
  const [, exported, message] = refused[0];
  const error = await moduleError(join(folder, 'threads.mjs'), exported, 'threads');
  expect(String(error)).toMatch(message);
});

it.each([
  [
    'methods of its own',
    driver(`new (class { served = 0; ${goodMethods} ${serves} serveFaults() {} count() {} })()`),
  ],
  ['no hook but those that it must have', driver(`{ ${good} }`)],
  [
    'what a program needs besides',
    '{ programs: { mine: () => ({ sum: 0, add() {}, *run() { return null; } }) } }',
  ],
  [
    'names that go on behind that of a hook',
    '{ programs: { mine: () => ({ expected() {}, progressOf() {}, kernel2() {}, *run() { return null; } }) } }',
  ],
])('lets a part have %s', async (name, exported) => {
  expect(await moduleError(join(folder, `${name}.mjs`), exported, 'virtual')).toBeNull();
});

describe('an invalidation', () => {
  type Vm = ConstructorParameters<typeof Invalidation>[0];
  const scenario = {
    ram: '16MiB',
    devices: { count: 1, vram: '8MiB' },
    workloads: [{ kind: 'invalidate' as const, size: '4pages', operations: 4 }],
  };

  it('has no method that is almost one of the driver’s', async () => {
    class Misspelt extends Invalidation {
      *invalidateTlb() {}
    }
    await expect(simulate({ scenario, invalidation: (vm: Vm) => new Misspelt(vm) })).rejects.toThrow(
      /^policy: key 'invalidation\.invalidateTlb': found an unknown method, .*\(did you mean 'invalidateTlbs'\?\)$/,
    );
  });

  it('may have others, and parts of what it replaces', async () => {
    class Own extends Invalidation {
      override *unmapParts(...args: Parameters<Invalidation['unmapParts']>) {
        this.unmapPart();
        yield* super.unmapParts(...args);
      }
      stop(): void {}
      unmapPart(): void {}
    }
    const { failure } = await simulate({ scenario, invalidation: (vm: Vm) => new Own(vm) });
    expect(failure).toBeNull();
  });
});
