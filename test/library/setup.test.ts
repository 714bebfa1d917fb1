/** All code that a setup brings takes part, none of it is left out in silence. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  explore,
  type PrefetchPolicy,
  passed,
  type Setup,
  STEP,
  SteppedRun,
  simulate,
  UserError,
} from '../../src/index.js';
import { configure } from '../../src/library/setup.js';

const scenario = {
  ram: '16MiB',
  devices: { count: 1, vram: '8MiB' },
  workloads: [{ kind: 'saxpy' as const, elements: 4096 }],
};

it('hands on each kind of code', async () => {
  const code: Pick<Setup, 'placement' | 'eviction' | 'prefetch' | 'drivers' | 'programs'> = {
    placement: { name: 'here', onlySystemPages: false, place: () => -3 },
    eviction: { name: 'first', victim: ([first]) => first ?? null },
    prefetch: { name: 'none', pagesAhead: () => 0 },
    drivers: [],
    programs: {},
  };
  const { extensions } = await configure({ scenario, ...code });
  expect(extensions).toEqual(code);
});

it('asks a prefetch policy after each fault', async () => {
  let asked = 0;
  const prefetch: PrefetchPolicy = {
    name: 'counts',
    pagesAhead: () => {
      asked++;
      return 0;
    },
  };
  const report = await simulate({ scenario, prefetch });
  expect(passed(report)).toBe(true);
  expect(asked).toBeGreaterThan(0);
});

describe('a scenario', () => {
  it('that says no executor is virtual, in a file too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'svmsim-setup-'));
    const file = join(folder, 'small.yaml');
    writeFileSync(file, 'devices: { count: 1 }\n');
    for (const one of [file, {}, { executor: undefined }]) {
      const setup: object = { scenario: one };
      expect((await configure(setup)).config.executor).toBe('virtual');
    }
    expect((await configure({ scenario: file, set: ['executor=threads'] })).config.executor).toBe('threads');
    rmSync(folder, { recursive: true });
  });
});

it('takes a module by the text of its URL', async () => {
  const module = new URL('../../examples/policies/own.mjs', import.meta.url).href;
  await expect(configure({ scenario, module })).rejects.toThrow(/^\/.*own.mjs: found no such file/);
});

describe('a search', () => {
  const loops: Setup['programs'] = {
    twice: () => ({
      *run() {
        yield STEP;
        yield STEP;
        return null;
      },
    }),
  };
  const small = { ram: '1MiB', devices: { count: 1, vram: '1MiB' }, workloads: [] };

  it('that was cut has not run every schedule', async () => {
    const options = { strategy: 'dfs0', schedules: 20_000 } as const;
    const whole = await explore({ scenario: small, programs: loops }, options);
    expect(whole.isExhausted).toBe(true);
    const cut = await explore({ scenario: small, programs: loops }, { ...options, stepsMax: 40 });
    expect(cut.schedules).toBeLessThan(whole.schedules);
    expect(cut.isExhausted).toBe(false);
    // Nine thousand schedules, beside whatever else runs.
  }, 300_000);

  it('finds code that does not follow from its choices', async () => {
    let runs = 0;
    const counts: Setup['programs'] = {
      seventh: () => ({
        *run() {
          yield STEP;
          return ++runs % 7 === 0 ? 'the seventh' : null;
        },
      }),
    };
    const { failure } = await explore({ scenario: small, programs: counts }, { strategy: 'random' });
    expect(failure?.verdict.kind).toBe('nondeterminism');
  });
});

it.each([
  ['null', 'null'],
  ['5', '5'],
  ['[]', 'a list'],
])('refuses %s instead of a setup', async (given, found) => {
  const message = `setup: found ${found}, allowed: an object with some of the keys scenario, `;
  const start = (setup: Setup): Promise<SteppedRun> => SteppedRun.start(setup);
  for (const call of [simulate, start, explore])
    await expect(call(JSON.parse(given))).rejects.toThrow(message);
});

describe('a mistake that types would have told', () => {
  const untyped = (text: string): object => JSON.parse(text);
  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['{"foo": 1}', /^setup: key 'foo': found an unknown key, allowed: scenario, /],
    ['{"programms": {}}', /did you mean 'programs'\?/],
    ['{"placement": 5}', /^setup: key 'placement': found a number, allowed: placement \{name/],
    ['{"placement": {"name": "a"}}', /found an object \{name: string\}, allowed: placement/],
    ['{"drivers": [5]}', /^setup: key 'drivers': found a list \{0: number\}, allowed: /],
    ['{"programs": {"a": 5}}', /^setup: key 'programs'/],
    ['{"drivers": [5]}', /^setup: key 'drivers'/],
    [
      '{"scenario": 5}',
      /^setup: key 'scenario': found 5, allowed: the path of a scenario file, or an object/,
    ],
    ['{"scenario": []}', /^setup: key 'scenario': found a list, allowed/],
    ['{"scenario": null}', /^setup: key 'scenario': found null, allowed/],
    ['{"seed": -1}', /^setup: key 'seed': found -1, allowed: a whole number from 0/],
    ['{"devices": 0}', /^setup: key 'devices': found 0/],
    ['{"set": null}', /^setup: key 'set': found null, allowed: a list of texts/],
    ['{"set": [4]}', /^setup: key 'set': found a list/],
    ['{"set": "devices.count=4"}', /^setup: key 'set': found devices.count=4/],
    ['{"set": ["devices.cont=4"]}', /^setup.set devices.cont=4: /],
    ['{"checks": 5}', /^setup: key 'checks': found 5/],
    ['{"checks": "foo"}', /^setup.checks: found foo, which is not known/],
    ['{"module": 5}', /^setup: key 'module': found 5/],
    ['{"module": "nope.mjs"}', /nope.mjs: found no such file/],
    ['{"executor": "foo"}', /^setup.executor: key 'executor': found foo/],
    ['{"devices": 3, "set": ["devices.count=9"]}', /found set: devices.count=9 beside it/],
  ];
  it.each(mistakes)('of the setup %s', async (setup, message) => {
    const error: unknown = await simulate({ scenario, ...untyped(setup) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });

  it.each([
    ['a function', { ram: () => 5 }, /key 'ram': found .*a function/],
    ['no end', { duration: Number.POSITIVE_INFINITY }, /key 'duration': found .*Infinity/],
    ['a bigint', { seed: 5n }, /key 'seed': found .*5/],
    ['a map', new Map(), /key 'scenario': found an object of Map/],
  ] as const)('of a scenario with %s', async (_, given, message) => {
    const setup: object = { scenario: given };
    const error: unknown = await simulate(setup).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });

  it.each([
    ['{"verifyEvery": 3}', /^simulate: key 'verifyEvery': .*did you mean 'verifyEveryMs'/],
    ['{"verifyEveryMs": -5}', /^simulate: key 'verifyEveryMs': found -5/],
    ['{"onTrace": 5}', /^simulate: key 'onTrace': found 5, allowed: a function/],
    ['{"signal": 5}', /^simulate: key 'signal': found 5, allowed: an AbortSignal/],
    ['null', /^simulate: found null/],
  ] as const)('of a run %s', async (options, message) => {
    const error: unknown = await simulate({ scenario }, untyped(options)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });

  it('of a run that the machine cannot hold', async () => {
    const huge: Setup = { scenario: { ...scenario, ram: '8GiB' } };
    const start = (setup: Setup): Promise<SteppedRun> => SteppedRun.start(setup);
    for (const call of [simulate, start]) await expect(call(huge)).rejects.toThrow(UserError);
  });

  it('of an executor that cannot be stepped', async () => {
    await expect(SteppedRun.start({ scenario, executor: 'threads' })).rejects.toThrow(UserError);
    await expect(explore({ scenario, executor: 'threads' })).rejects.toThrow(UserError);
  });

  it.each([
    ['{"strategy": "foo"}', /^explore: key 'strategy': found foo, allowed: random, /],
    ['{"schedules": 0}', /^explore: key 'schedules': found 0, allowed: a whole number from 1/],
    ['{"schedule": 5}', /did you mean 'schedules'\?/],
    ['{"seconds": 0}', /^explore: key 'seconds': found 0, allowed: a number above 0/],
    ['{"signal": 5}', /^explore: key 'signal': found 5, allowed: an AbortSignal/],
    ['{"onProgress": 5}', /^explore: key 'onProgress': found 5, allowed: a function/],
  ] as const)('of a search %s', async (options, message) => {
    const error: unknown = await explore({ scenario }, untyped(options)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });
});
